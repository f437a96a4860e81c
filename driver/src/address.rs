//! Where a line goes to or is awaited: `tcp://host:port`, `unix:///path`, `tls://host:port`, `ws://host:port/path`,
//! `wss://host:port/path` or `mem://name`.
//!
//! An address is text that was checked for its form. It is not resolved here, and whether the transport exists on this system
//! is for whoever connects to say.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// Where to connect to or to listen.
///
/// Every address that was parsed prints as text that parses to an equal one. One that was put together by hand is as good as
/// its parts: a relative path or a host with a slash prints as something that is refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// `tcp://host:port`.
    Tcp {
        /// A name, an IPv4 address, or an IPv6 address without its brackets, with its zone if it has one (`fe80::1%eth0`).
        host: String,
        /// The port; 0 lets the system choose one when listening.
        port: u16,
    },
    /// `unix:///path`: a socket in the file system, by its absolute path.
    Unix(PathBuf),
    /// `tls://host:port`: TLS over TCP.
    Tls {
        /// As of TCP. The server's certificate must be for it, with an IPv6 address's zone left out.
        host: String,
        /// As of TCP.
        port: u16,
    },
    /// `ws://host:port/path`: WebSocket over TCP.
    Ws {
        /// As of TCP.
        host: String,
        /// As of TCP; 80 if there is none.
        port: u16,
        /// What is asked for, from its slash on; `/` if there is none. Listening, what may be asked for, without its query.
        path: String,
    },
    /// `wss://host:port/path`: WebSocket over TLS.
    Wss {
        /// As of TLS.
        host: String,
        /// As of TCP; 443 if there is none.
        port: u16,
        /// As of WebSocket.
        path: String,
    },
    /// `mem://name`: within this process, for tests. With an empty name, listening takes a free one.
    Mem(String),
}

/// What may be given where an address is asked for.
pub trait IntoAddress {
    /// The address, or what is wrong with the text that should have been one.
    fn into_address(self) -> Result<Address, AddressError>;
}

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// No `scheme://` in front.
    NoScheme,
    /// None of the schemes there are.
    UnknownScheme(String),
    /// Nothing in front of the port.
    EmptyHost,
    /// Neither a name nor an IPv4 address, nor an IPv6 address in brackets.
    BadHost(String),
    /// An IPv6 address without the brackets that tell it from its port.
    BareIpv6(String),
    /// No `:port` at the end.
    NoPort,
    /// Not a number from 0 to 65535.
    BadPort(String),
    /// No path after `unix://`.
    EmptyPath,
    /// A path that does not begin with a slash.
    RelativePath(String),
    /// A path with a NUL, which no file system can hold.
    NulInPath,
    /// A name for `mem://` that has more in it than letters, digits, dots, hyphens and underscores.
    BadName(String),
    /// A path for WebSocket that is not one of an URL: in visible ASCII, without a fragment.
    BadPath(String),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::NoScheme)?;
        if scheme.eq_ignore_ascii_case("tcp") {
            parse_host(rest).map(|(host, port)| Address::Tcp { host, port })
        } else if scheme.eq_ignore_ascii_case("unix") {
            parse_unix(rest)
        } else if scheme.eq_ignore_ascii_case("tls") {
            parse_host(rest).map(|(host, port)| Address::Tls { host, port })
        } else if scheme.eq_ignore_ascii_case("ws") {
            parse_url(rest, 80).map(|(host, port, path)| Address::Ws { host, port, path })
        } else if scheme.eq_ignore_ascii_case("wss") {
            parse_url(rest, 443).map(|(host, port, path)| Address::Wss { host, port, path })
        } else if scheme.eq_ignore_ascii_case("mem") {
            parse_mem(rest)
        } else {
            Err(AddressError::UnknownScheme(scheme.to_owned()))
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "tcp://{}:{port}", bracketed(host)),
            Self::Tls { host, port } => write!(f, "tls://{}:{port}", bracketed(host)),
            Self::Ws { host, port, path } => write!(f, "ws://{}:{port}{path}", bracketed(host)),
            Self::Wss { host, port, path } => write!(f, "wss://{}:{port}{path}", bracketed(host)),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Mem(name) => write!(f, "mem://{name}"),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        let host = match address {
            // A link-local address leads nowhere without its zone.
            SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
            _ => address.ip().to_string(),
        };
        Self::Tcp { host, port: address.port() }
    }
}

impl IntoAddress for Address {
    fn into_address(self) -> Result<Address, AddressError> {
        Ok(self)
    }
}

impl IntoAddress for &Address {
    fn into_address(self) -> Result<Address, AddressError> {
        Ok(self.clone())
    }
}

impl IntoAddress for SocketAddr {
    fn into_address(self) -> Result<Address, AddressError> {
        Ok(self.into())
    }
}

impl IntoAddress for &str {
    fn into_address(self) -> Result<Address, AddressError> {
        self.parse()
    }
}

impl IntoAddress for String {
    fn into_address(self) -> Result<Address, AddressError> {
        self.parse()
    }
}

impl IntoAddress for &String {
    fn into_address(self) -> Result<Address, AddressError> {
        self.parse()
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoScheme => f.write_str("the address does not begin with a scheme such as tcp://"),
            Self::UnknownScheme(scheme) => {
                write!(f, "unknown scheme {scheme:?}: none of tcp, unix, tls, ws, wss and mem")
            }
            Self::EmptyHost => f.write_str("the address has no host"),
            Self::BadHost(host) => write!(f, "{host:?} is neither a host name nor an ip address"),
            Self::BareIpv6(host) => {
                write!(f, "the ipv6 address {host:?} needs brackets: [{host}]:port")
            }
            Self::NoPort => f.write_str("the address does not end in a port such as :7000"),
            Self::BadPort(port) => write!(f, "the port {port:?} is not a number from 0 to 65535"),
            Self::EmptyPath => f.write_str("the address has no path"),
            Self::RelativePath(path) => write!(f, "the path {path:?} is not absolute: unix:// takes a third slash"),
            Self::NulInPath => f.write_str("the path contains a nul"),
            Self::BadPath(path) => write!(f, "the path {path:?} is not one of an url without a fragment"),
            Self::BadName(name) => write!(f, "the name {name:?} has more in it than letters, digits, '.', '-' and '_'"),
        }
    }
}

impl Error for AddressError {}

/// A host as it is written in front of a port.
pub(crate) fn bracketed(host: &str) -> Cow<'_, str> {
    if host.contains(':') { format!("[{host}]").into() } else { host.into() }
}

/// What a browser would take.
fn parse_url(rest: &str, default_port: u16) -> Result<(String, u16, String), AddressError> {
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    if !path.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
        return Err(AddressError::BadPath(path.to_owned()));
    }
    let (host, port) = if authority.ends_with(']') || !authority.contains(':') {
        parse_host(&format!("{authority}:{default_port}"))?
    } else {
        parse_host(authority)?
    };
    Ok((host, port, path.to_owned()))
}

fn parse_host(rest: &str) -> Result<(String, u16), AddressError> {
    let (host, port) = match rest.strip_prefix('[') {
        Some(inner) => {
            let bad = || AddressError::BadHost(rest.to_owned());
            let (host, after) = inner.split_once(']').ok_or_else(bad)?;
            if !is_ipv6(host) {
                return Err(bad());
            }
            (host, after.strip_prefix(':').ok_or(AddressError::NoPort)?)
        }
        None => {
            let (host, port) = rest.rsplit_once(':').ok_or(AddressError::NoPort)?;
            if host.is_empty() {
                return Err(AddressError::EmptyHost);
            }
            if host.contains(':') {
                return Err(AddressError::BareIpv6(host.to_owned()));
            }
            if !is_plain(host) {
                return Err(AddressError::BadHost(host.to_owned()));
            }
            (host, port)
        }
    };
    Ok((host.to_owned(), parse_port(port)?))
}

fn parse_port(port: &str) -> Result<u16, AddressError> {
    let bad = || AddressError::BadPort(port.to_owned());
    // A number may begin with a plus sign; a port may not.
    if port.starts_with('+') {
        return Err(bad());
    }
    port.parse().map_err(|_| bad())
}

fn parse_unix(path: &str) -> Result<Address, AddressError> {
    if path.is_empty() {
        Err(AddressError::EmptyPath)
    } else if path.contains('\0') {
        Err(AddressError::NulInPath)
    } else if !path.starts_with('/') {
        Err(AddressError::RelativePath(path.to_owned()))
    } else {
        Ok(Address::Unix(PathBuf::from(path)))
    }
}

fn parse_mem(name: &str) -> Result<Address, AddressError> {
    if name.is_empty() || is_plain(name) {
        Ok(Address::Mem(name.to_owned()))
    } else {
        Err(AddressError::BadName(name.to_owned()))
    }
}

fn is_ipv6(host: &str) -> bool {
    match host.split_once('%') {
        Some((ip, zone)) => ip.parse::<Ipv6Addr>().is_ok() && is_plain(zone),
        None => host.parse::<Ipv6Addr>().is_ok(),
    }
}

/// What names of hosts and of zones are written in; the underscore is no host name's, yet in use.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::{Arbitrary, Gen, QuickCheck};
    use std::net::{Ipv4Addr, SocketAddrV6};

    fn tcp(host: &str, port: u16) -> Result<Address, AddressError> {
        Ok(Address::Tcp { host: host.into(), port })
    }

    fn ws(host: &str, port: u16, path: &str) -> Result<Address, AddressError> {
        Ok(Address::Ws { host: host.into(), port, path: path.into() })
    }

    fn check(cases: &[(&str, Result<Address, AddressError>)]) {
        for (text, expected) in cases {
            assert_eq!(&text.parse::<Address>(), expected, "{text}");
        }
    }

    #[test]
    fn reads_every_form() {
        check(&[
            ("tcp://127.0.0.1:0", tcp("127.0.0.1", 0)),
            ("tcp://example.org:65535", tcp("example.org", 65535)),
            ("tcp://my_host-1:7", tcp("my_host-1", 7)),
            ("tcp://[::1]:80", tcp("::1", 80)),
            ("tcp://[fe80::1%eth0]:80", tcp("fe80::1%eth0", 80)),
            ("TCP://localhost:80", tcp("localhost", 80)),
            ("unix:///run/ropeway.sock", Ok(Address::Unix("/run/ropeway.sock".into()))),
            ("unix:///with space/%20/:/ä", Ok(Address::Unix("/with space/%20/:/ä".into()))),
            ("tls://example.org:443", Ok(Address::Tls { host: "example.org".into(), port: 443 })),
            ("tls://[::1]:443", Ok(Address::Tls { host: "::1".into(), port: 443 })),
            ("ws://localhost", ws("localhost", 80, "/")),
            ("ws://[::1]", ws("::1", 80, "/")),
            ("WS://localhost:8080/a/b?c=d", ws("localhost", 8080, "/a/b?c=d")),
            ("wss://[::1]:1/", Ok(Address::Wss { host: "::1".into(), port: 1, path: "/".into() })),
            ("wss://h/x", Ok(Address::Wss { host: "h".into(), port: 443, path: "/x".into() })),
            ("mem://a.b-c_1", Ok(Address::Mem("a.b-c_1".into()))),
            ("mem://", Ok(Address::Mem("".into()))),
        ]);
    }

    #[test]
    fn names_what_is_wrong() {
        use AddressError::*;
        check(&[
            ("", Err(NoScheme)),
            ("localhost:80", Err(NoScheme)),
            ("unix:/run/x", Err(NoScheme)),
            ("://localhost:80", Err(UnknownScheme("".into()))),
            ("http://localhost:80", Err(UnknownScheme("http".into()))),
            ("tcp://", Err(NoPort)),
            ("tcp://localhost", Err(NoPort)),
            ("tcp://[::1]", Err(NoPort)),
            ("tcp://[::1]80", Err(NoPort)),
            ("tcp://:80", Err(EmptyHost)),
            ("tcp://local host:80", Err(BadHost("local host".into()))),
            ("tcp://user@host:80", Err(BadHost("user@host".into()))),
            ("tcp://host/path:80", Err(BadHost("host/path".into()))),
            ("tcp://host\0:80", Err(BadHost("host\0".into()))),
            ("tcp://[::1:80", Err(BadHost("[::1:80".into()))),
            ("tcp://[localhost]:80", Err(BadHost("[localhost]:80".into()))),
            ("tcp://[127.0.0.1]:80", Err(BadHost("[127.0.0.1]:80".into()))),
            ("tcp://[::1%]:80", Err(BadHost("[::1%]:80".into()))),
            ("tcp://::1:80", Err(BareIpv6("::1".into()))),
            ("tcp://localhost:", Err(BadPort("".into()))),
            ("tcp://localhost:80/", Err(BadPort("80/".into()))),
            ("tcp://localhost:+80", Err(BadPort("+80".into()))),
            ("tcp://localhost:-1", Err(BadPort("-1".into()))),
            ("tcp://localhost:65536", Err(BadPort("65536".into()))),
            ("unix://", Err(EmptyPath)),
            ("unix://relative", Err(RelativePath("relative".into()))),
            ("unix://./relative", Err(RelativePath("./relative".into()))),
            ("unix:///run/\0", Err(NulInPath)),
            ("tls://localhost", Err(NoPort)),
            ("ws://", Err(EmptyHost)),
            ("ws:///path", Err(EmptyHost)),
            ("ws://localhost:/", Err(BadPort("".into()))),
            ("ws://::1/", Err(BareIpv6(":".into()))),
            ("ws://localhost?x", Err(BadHost("localhost?x".into()))),
            ("ws://localhost/#x", Err(BadPath("/#x".into()))),
            ("ws://localhost/a b", Err(BadPath("/a b".into()))),
            ("wss://localhost/\r\nx: y", Err(BadPath("/\r\nx: y".into()))),
            ("tls://::1:80", Err(BareIpv6("::1".into()))),
            ("mem:///a", Err(BadName("/a".into()))),
            ("mem://a:1", Err(BadName("a:1".into()))),
        ]);
    }

    #[test]
    fn takes_whatever_names_an_address() {
        let expected = tcp("127.0.0.1", 9);
        let socket = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let text = "tcp://127.0.0.1:9";
        assert_eq!(text.into_address(), expected);
        assert_eq!(text.to_owned().into_address(), expected);
        assert_eq!((&text.to_owned()).into_address(), expected);
        assert_eq!(socket.into_address(), expected);
        assert_eq!(Address::from(socket).into_address(), expected);
        assert_eq!((&Address::from(socket)).into_address(), expected);
    }

    #[test]
    fn a_socket_address_keeps_its_zone() {
        let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        for (zone, expected) in [(0, "tcp://[fe80::1]:80"), (3, "tcp://[fe80::1%3]:80")] {
            let socket = SocketAddr::V6(SocketAddrV6::new(ip, 80, 0, zone));
            assert_eq!(Address::from(socket).to_string(), expected);
        }
    }

    #[test]
    fn every_address_reads_as_it_prints() {
        fn holds(address: Address) -> bool {
            address.to_string().parse() == Ok(address)
        }
        QuickCheck::new().quickcheck(holds as fn(Address) -> bool);
    }

    #[test]
    fn any_text_is_refused_or_prints_as_it_reads() {
        fn holds(text: String, scheme: usize) -> bool {
            let text = format!(
                "{}{text}",
                ["", "tcp://", "tcp://[", "tcp://h:", "unix:///", "mem://", "ws://", "wss://h/"][scheme % 8]
            );
            text.parse::<Address>().map_or(true, |address| address.to_string().parse() == Ok(address))
        }
        QuickCheck::new().quickcheck(holds as fn(String, usize) -> bool);
    }

    impl Arbitrary for Address {
        fn arbitrary(g: &mut Gen) -> Self {
            let port = u16::arbitrary(g);
            let path = |g: &mut Gen| format!("/{}", text(g, &['a', '/', ':', '%', '?', '.', '~']));
            match u8::arbitrary(g) % 8 {
                0 => SocketAddr::from((Ipv4Addr::arbitrary(g), port)).into(),
                1 => SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::arbitrary(g), port, 0, u32::arbitrary(g))).into(),
                2 => Self::Tcp { host: text(g, &['a', 'Z', '0', '.', '-', '_']), port },
                3 => Self::Tls { host: text(g, &['a', 'Z', '0', '.', '-', '_']), port },
                4 => Self::Ws { host: "::1".into(), port, path: path(g) },
                5 => Self::Wss { host: "h".into(), port, path: path(g) },
                6 => Self::Mem(text(g, &['a', 'Z', '0', '.', '-', '_'])),
                _ => Self::Unix(format!("/{}", text(g, &['a', '/', ':', '%', ' ', '.', '\n', 'ä', '\\'])).into()),
            }
        }
    }

    fn text(g: &mut Gen, alphabet: &[char]) -> String {
        (0..1 + usize::arbitrary(g) % 20).filter_map(|_| g.choose(alphabet)).collect()
    }
}
