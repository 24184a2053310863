//! Heads of HTTP/1 messages, as far as a proxy has to understand them (RFC 9110, 9112).

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest head: cookies make requests long.
const MAX: usize = 256 << 10;

/// A first line and the fields below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub first: String,
    pub fields: Vec<(String, String)>,
}

/// Fields that concern one connection only.
const HOP: [&str; 9] = [
    "connection",
    "proxy-connection",
    "keep-alive",
    "proxy-authorization",
    "proxy-authenticate",
    "upgrade",
    "te",
    "trailer",
    "expect",
];

impl Head {
    /// Reads one; what came behind it stays in `arrived`. None: the peer ended before the first byte.
    ///
    /// # Errors
    /// It is no head, or too long, or cut off.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin), arrived: &mut Vec<u8>) -> io::Result<Option<Self>> {
        loop {
            if let Some(end) = find_end(arrived) {
                let rest = arrived.split_off(end);
                let head = parse(&std::mem::replace(arrived, rest));
                return head.map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into());
            }
            if arrived.len() > MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if from.read_buf(arrived).await? == 0 {
                return if arrived.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The head as it goes on, with `first` and, for this hop, with what closes the connection behind it.
    pub(super) fn pass_on(&self, first: &str, extra: &[(&str, &str)]) -> Vec<u8> {
        let mut text = format!("{first}\r\n");
        let named = self.get("connection").unwrap_or_default().to_ascii_lowercase();
        let is_hop = |name: &str| {
            let name = name.to_ascii_lowercase();
            HOP.contains(&name.as_str()) || named.split(',').any(|listed| listed.trim() == name)
        };
        for (name, value) in self.fields.iter().filter(|(name, _)| !is_hop(name)) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        for (name, value) in extra.iter().chain(&[("Connection", "close")]) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        // The bytes as they came: see `parse`.
        text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
    }
}

fn find_end(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

fn parse(bytes: &[u8]) -> Option<Head> {
    // Fields are Latin-1 at worst: no byte is lost, and none becomes a line end.
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let first = lines.next().filter(|first| !first.is_empty())?.to_owned();
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let sane = !name.is_empty() && !name.contains([' ', '\t', '\n', '\r']) && !value.contains(['\n', '\r']);
        sane.then(|| (name.to_owned(), value.trim().to_owned()))
    };
    Some(Head { fields: lines.map(field).collect::<Option<_>>()?, first })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &str) -> io::Result<Option<(Head, Vec<u8>)>> {
        let mut arrived = Vec::new();
        let head = Head::read(&mut text.as_bytes(), &mut arrived).await?;
        Ok(head.map(|head| (head, arrived)))
    }

    #[tokio::test]
    async fn heads_are_read_and_passed_on_without_what_is_the_hops() {
        let text = "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nX-Own:1\r\nConnection: keep-alive, x-hop\r\n\
                    Proxy-Authorization: Basic x\r\nX-Hop: 1\r\n\r\nbody";
        let (head, rest) = read(text).await.unwrap().unwrap();
        assert_eq!((head.get("host"), rest.as_slice()), (Some("a.example"), &b"body"[..]));
        let passed = String::from_utf8(head.pass_on("GET / HTTP/1.1", &[])).unwrap();
        assert_eq!(passed, "GET / HTTP/1.1\r\nHost: a.example\r\nX-Own: 1\r\nConnection: close\r\n\r\n");
        assert!(read("").await.unwrap().is_none());
        for bad in ["GET", "\r\n\r\n", "GET / HTTP/1.1\r\nno field\r\n\r\n", "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n"] {
            assert!(read(bad).await.is_err(), "{bad:?}");
        }
    }
}
