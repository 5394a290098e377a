//! Asking the daemon: a request, an answer, and the stream of events. In HTTP/1.0, in which an answer ends with its connection, so that
//! there is nothing to it.

use crate::notice::{self, Found, Notice, VERSION};
use crate::refusal::Said;
use neronet_home::HomeError;
use neronet_store::Home;
use serde_json::Value;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// For an answer: a little more than the daemon takes for one.
const PATIENCE: Duration = Duration::from_secs(70);
/// For the next event, of which one comes every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);

#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

/// Why there is no answer as it was wanted.
#[derive(Debug)]
pub enum Unanswered {
    /// Nobody is there, or it went away.
    Gone(io::Error),
    Refused {
        status: u16,
        error: String,
        hint: Option<String>,
    },
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unanswered::Gone(e) => write!(f, "the daemon does not answer: {e}"),
            Unanswered::Refused { error, hint: Some(hint), .. } => write!(f, "{error}; {hint}"),
            Unanswered::Refused { error, hint: None, .. } => f.write_str(error),
        }
    }
}

impl From<io::Error> for Unanswered {
    fn from(e: io::Error) -> Unanswered {
        Unanswered::Gone(e)
    }
}

impl From<Unanswered> for HomeError {
    fn from(unanswered: Unanswered) -> HomeError {
        let text = unanswered.to_string();
        match unanswered {
            Unanswered::Refused { status: 400 | 404 | 422, .. } => HomeError::Words(text),
            Unanswered::Refused { status: 401..500, .. } => HomeError::Failed(text),
            Unanswered::Refused { .. } | Unanswered::Gone(_) => HomeError::Daemon(text),
        }
    }
}

impl Client {
    /// Of whoever serves this home, if anybody does.
    pub fn find(home: &Home) -> Result<Option<Client>, HomeError> {
        match notice::find(home) {
            Found::Here(notice) => Ok(Some(Client::of(&notice))),
            Found::Nobody => Ok(None),
            Found::Elsewhere(notice) => Err(notice::elsewhere(&notice)),
        }
    }

    /// Of whoever serves this home and knows what this version knows.
    pub fn of_this_version(home: &Home) -> Option<Client> {
        match notice::find(home) {
            Found::Here(notice) if notice.version == VERSION => Some(Client::of(&notice)),
            _ => None,
        }
    }

    pub fn of(notice: &Notice) -> Client {
        Client { socket: notice.socket.clone() }
    }

    pub fn get(&self, address: &str) -> Result<Value, Unanswered> {
        self.answer(format!("GET {address} HTTP/1.0\r\n\r\n").as_bytes(), &[])
    }

    pub fn post(&self, address: &str, body: &Value) -> Result<Value, Unanswered> {
        self.send(address, body, "")
    }

    /// What must not happen twice, however often it is asked for: the same key gets the first answer.
    pub fn post_once(&self, address: &str, body: &Value, key: &str) -> Result<Value, Unanswered> {
        self.send(address, body, &format!("Idempotency-Key: {key}\r\n"))
    }

    fn send(&self, address: &str, body: &Value, header: &str) -> Result<Value, Unanswered> {
        let body = body.to_string();
        let length = body.len();
        let head = format!("POST {address} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{header}\r\n");
        self.answer(head.as_bytes(), body.as_bytes())
    }

    fn answer(&self, head: &[u8], body: &[u8]) -> Result<Value, Unanswered> {
        let (status, length, mut rest) = self.ask(head, body, PATIENCE)?;
        let mut text = Vec::new();
        rest.read_to_end(&mut text)?;
        if length.is_some_and(|length| length != text.len()) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if status == 200 {
            return serde_json::from_slice(&text).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e).into());
        }
        let Said { error, hint } =
            serde_json::from_slice(&text).unwrap_or_else(|_| Said { error: format!("it answers {status}"), hint: None });
        Err(Unanswered::Refused { status, error, hint })
    }

    /// Status, length if it is said, and the connection at the beginning of the answer's body.
    fn ask(&self, head: &[u8], body: &[u8], patience: Duration) -> Result<(u16, Option<usize>, BufReader<UnixStream>), Unanswered> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        // What is not taken to its end may still be answered, with the reason.
        let sent = stream.write_all(head).and_then(|()| stream.write_all(body));
        let mut reader = BufReader::new(stream);
        let mut line = || {
            let mut line = String::new();
            let read = reader.by_ref().take(64 << 10).read_line(&mut line)?;
            if read == 0 { Err(io::Error::from(io::ErrorKind::UnexpectedEof)) } else { Ok(line.trim_end().to_string()) }
        };
        let first = line().or_else(|e| sent.and(Err(e)))?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "what answers is no daemon of neronet"))?;
        let mut length = None;
        loop {
            let header = line()?;
            match header.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse().ok(),
                None if header.is_empty() => return Ok((status, length, reader)),
                _ => {}
            }
        }
    }

    /// What happens from `after` on, the id of the last event that was heard; without it, from now on.
    pub fn events(&self, after: Option<u64>) -> Result<Events, Unanswered> {
        let after = after.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let head = format!("GET /v1/events HTTP/1.0\r\n{after}\r\n");
        let (status, _, stream) = self.ask(head.as_bytes(), &[], SILENCE)?;
        match status {
            200 => Ok(Events { stream, id: None }),
            _ => Err(Unanswered::Refused { status, error: format!("it answers {status} when asked for events"), hint: None }),
        }
    }
}

/// The stream of events. It ends when the daemon leaves; whoever asks again with `id` misses nothing.
#[derive(Debug)]
pub struct Events {
    stream: BufReader<UnixStream>,
    /// Of the last event that came.
    pub id: Option<u64>,
}

impl Iterator for Events {
    type Item = Result<Value, Unanswered>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut data = String::new();
        loop {
            let mut line = String::new();
            match self.stream.read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(e) => return Some(Err(e.into())),
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if let Some(id) = line.strip_prefix("id:") {
                self.id = id.trim().parse().ok().or(self.id);
            } else if let Some(text) = line.strip_prefix("data:") {
                data += text.trim_start();
            } else if line.is_empty() && !data.is_empty() {
                return Some(serde_json::from_str(&data).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e).into()));
            }
        }
    }
}
