#!/usr/bin/env bash
# Makes the certificates that the tests use, valid for a hundred years: an authority, and a server of its. Nothing else may trust
# them, for their keys are public. Needs openssl.
set -euo pipefail
cd "$(dirname "$0")"
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

authority=$(mktemp)
trap 'rm -f "$authority"' EXIT
key "$authority"
openssl req -x509 -key "$authority" -days 36500 -subj "/CN=Ropeway tests" -out authority.pem \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign"

key server.key
openssl req -new -key server.key -subj "/CN=localhost" |
    openssl x509 -req -CA authority.pem -CAkey "$authority" -days 36500 -out server.pem -extfile <(
        echo "basicConstraints=critical,CA:FALSE"
        echo "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"
        echo "extendedKeyUsage=serverAuth"
    )
