#!/usr/bin/env bash
# Makes the certificates that the tests use, valid for a hundred years: an authority, and a server and a client of its. Nothing else may trust
# them, for their keys are public. Needs openssl.
set -euo pipefail
cd "$(dirname "$0")"
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

authority=$(mktemp)
trap 'rm -f "$authority"' EXIT
key "$authority"
openssl req -x509 -key "$authority" -days 36500 -subj "/CN=Ropeway tests" -out authority.pem \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign"

# A certificate of the authority's: its name, what it is for, and more of it.
certificate() {
    key "$1.key"
    openssl req -new -key "$1.key" -subj "/CN=$2" |
        openssl x509 -req -CA authority.pem -CAkey "$authority" -days 36500 -out "$1.pem" -extfile <(
            printf '%s\n' "basicConstraints=critical,CA:FALSE" "extendedKeyUsage=$3" "$4"
        )
}

certificate server localhost serverAuth "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"
certificate client client clientAuth "subjectAltName=DNS:client"
