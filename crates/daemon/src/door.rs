//! Who may come in. The socket is its owner's; by TCP it takes a token, and no page of a browser gets in by another name.

use crate::refusal::Refusal;
use crate::served::Served;
use crate::token::{self, Role};
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::http::uri::Authority;
use std::net::{IpAddr, SocketAddr};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Door {
    Socket,
    Tcp(SocketAddr),
}

pub(crate) fn may_enter(served: &Served, door: Door, headers: &HeaderMap, changes: bool) -> Result<(), Refusal> {
    let Door::Tcp(address) = door else {
        // No browser speaks through a socket of the file system; what pretends to be a page is none of ours.
        return match headers.contains_key(ORIGIN) {
            true => Err(Refusal::new(403, "pages of browsers are not answered here", "leave the header Origin out")),
            false => Ok(()),
        };
    };
    let host = only(headers, HOST)?.unwrap_or_default();
    if !is_ours(host, address) {
        let error = format!("this is not {}", host.escape_debug());
        return Err(Refusal::new(421, error, format!("ask for http://{address}/, or by another address of this machine")));
    }
    if let Some(origin) = only(headers, ORIGIN)?
        && origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) != Some(host)
    {
        return Err(Refusal::new(403, "the page that asks is of another origin", format!("open http://{address}/ itself")));
    }
    let given = only(headers, AUTHORIZATION)?.and_then(|given| given.strip_prefix("Bearer "));
    match given.and_then(|given| token::role(&served.context.home, given.trim().as_bytes())) {
        None => Err(Refusal::new(401, "this takes a token", "send `Authorization: Bearer TOKEN`; `neronet token NAME` makes one")),
        Some(Role::Viewer) if changes => {
            Err(Refusal::new(403, "this token may look and change nothing", "take one that `neronet token` made without --viewer"))
        }
        Some(_) => Ok(()),
    }
}

/// A header that may be there once.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Refusal> {
    let mut all = headers.get_all(&name).iter();
    let first = all.next().map(|value| value.to_str());
    match (first, all.next()) {
        (None, _) => Ok(None),
        (Some(Ok(value)), None) => Ok(Some(value)),
        _ => Err(Refusal::new(400, format!("the header {name} cannot be read, or is there twice"), "send it once, in ASCII")),
    }
}

/// Numbers cannot be made to mean another machine, and neither can these names: a page of elsewhere never has them.
fn is_ours(host: &str, address: SocketAddr) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = authority.port_u16().unwrap_or(80);
    let own = || nix::unistd::gethostname().is_ok_and(|own| own.to_str().is_some_and(|own| own.eq_ignore_ascii_case(name)));
    !host.contains('@') && port == address.port() && (name.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost") || own())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_nobody_else_can_take_are_ours() {
        let address: SocketAddr = "127.0.0.1:8080".parse().expect("an address");
        for host in ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080", "192.168.1.7:8080"] {
            assert!(is_ours(host, address), "{host}");
        }
        for host in [
            "",
            "evil.example:8080",
            "127.0.0.1",
            "127.0.0.1:80",
            "localhost.evil.example:8080",
            "a@127.0.0.1:8080",
            "127.0.0.1:8080/x",
            "\u{0}",
        ] {
            assert!(!is_ours(host, address), "{host}");
        }
    }
}
