//! Bodies of requests and answers, and a connection that does not wait for ever.

use crate::refusal::Refusal;
use crate::served::Counted;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio::time::{Sleep, sleep, timeout};

/// Bytes of a body. One that is larger is refused, and of those above `SMALL` only a few are there at a time.
pub(crate) const LARGEST: usize = 32 << 20;
const SMALL: u64 = 1 << 20;
static LARGE_ONES: Semaphore = Semaphore::const_new(2);

/// For a whole request to come, and for a connection that takes nothing of what it is sent.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request's body, and its permission to be large.
pub(crate) async fn read(body: Incoming) -> Result<(Vec<u8>, Option<SemaphorePermit<'static>>), Refusal> {
    let upper = body.size_hint().upper();
    let too_large = || Refusal::new(413, "the body is too large", format!("at most {} MB are taken", LARGEST >> 20));
    if upper.is_some_and(|upper| upper > LARGEST as u64) {
        return Err(too_large());
    }
    let reading = async {
        let permit = match upper {
            Some(upper) if upper <= SMALL => None,
            _ => LARGE_ONES.acquire().await.ok(),
        };
        Limited::new(body, LARGEST).collect().await.map(|body| (body.to_bytes().into(), permit))
    };
    match timeout(PATIENCE, reading).await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(e)) if e.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(e)) => Err(Refusal::new(400, format!("the body was cut short: {e}"), "send it once more")),
        Err(_) => Err(Refusal::new(408, "the body did not come in time", "send it once more")),
    }
}

/// An answer's body.
pub(crate) enum Body {
    Whole {
        bytes: Bytes,
        /// Counted until it is out.
        _answering: Counted,
    },
    Events(mpsc::Receiver<Bytes>),
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Body::Whole { bytes, .. } if bytes.is_empty() => Poll::Ready(None),
            Body::Whole { bytes, .. } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Body::Events(events) => Poll::Ready(ready!(events.poll_recv(cx)).map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Body::Whole { bytes, .. } if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Whole { bytes, .. } => SizeHint::with_exact(bytes.len() as u64),
            Body::Events(_) => SizeHint::default(),
        }
    }
}

/// A connection that is given up when it takes nothing for too long.
pub(crate) struct Patient<S> {
    connection: S,
    stuck: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(crate) fn new(connection: S) -> Patient<S> {
        Patient { connection, stuck: None }
    }

    fn after<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        ready!(stuck.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.connection).poll_write(cx, bytes);
        self.after(written, cx)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.connection).poll_flush(cx);
        self.after(flushed, cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.connection).poll_write_vectored(cx, bytes);
        self.after(written, cx)
    }
    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::net::UnixStream;
    use tokio::time::Instant;

    #[test]
    fn a_connection_that_takes_nothing_is_given_up_and_a_slow_one_is_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
        runtime.block_on(async {
            let (ours, theirs) = UnixStream::pair().expect("a pair");
            let mut ours = Patient::new(ours);
            let bytes = [0; 1 << 16];
            let began = Instant::now();
            let reader = tokio::spawn(async move {
                let mut into = [0; 1 << 16];
                for _ in 0..10 {
                    sleep(PATIENCE * 2 / 3).await;
                    while theirs.try_read(&mut into).is_ok() {}
                }
                theirs
            });
            let gave_up = loop {
                if let Err(e) = poll_fn(|cx| Pin::new(&mut ours).poll_write(cx, &bytes)).await {
                    break e;
                }
            };
            assert_eq!(gave_up.kind(), io::ErrorKind::TimedOut);
            assert!(began.elapsed() > PATIENCE * 6, "{:?}", began.elapsed());
            drop(reader);
        });
    }
}
