//! Shell: a stream whose first bytes were read to learn what it speaks, and are read again from here.

use super::first_bytes::{self, ENOUGH, Verdict};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// A stream behind the bytes that were taken from it.
#[derive(Debug)]
pub struct Prefixed<S> {
    first: [u8; ENOUGH],
    /// Where the bytes begin that nobody has read, and where they end.
    unread: (usize, usize),
    stream: S,
}

impl<S: AsyncRead + Unpin> Prefixed<S> {
    /// Reads until it is clear what the stream speaks. One that ends before is garbage.
    pub async fn sniff(stream: S, inside_tls: bool) -> io::Result<(Verdict, Self)> {
        let mut sniffed = Self { first: [0; ENOUGH], unread: (0, 0), stream };
        loop {
            let filled = sniffed.unread.1;
            let count = sniffed.stream.read(&mut sniffed.first[filled..]).await?;
            sniffed.unread.1 = filled + count;
            let verdict = match first_bytes::decide(&sniffed.first[..filled + count], inside_tls) {
                Verdict::More if count == 0 => Verdict::Garbage,
                Verdict::More => continue,
                verdict => verdict,
            };
            return Ok((verdict, sniffed));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (begin, end) = self.unread;
        if begin == end {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let count = buf.remaining().min(end - begin);
        buf.put_slice(&self.first[begin..begin + count]);
        self.unread.0 += count;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn what_was_read_to_decide_is_read_again() {
        let (mut client, server) = tokio::io::duplex(3);
        let text = b"PUT /a HTTP/1.1\r\n\r\n";
        let (sniffed, _) = tokio::join!(Prefixed::sniff(server, false), client.write_all(&text[..6]));
        let (verdict, mut stream) = sniffed.unwrap();
        assert_eq!(verdict, Verdict::Http1);
        let mut read = vec![0; text.len()];
        let (written, done) = tokio::join!(client.write_all(&text[6..]), stream.read_exact(&mut read));
        written.unwrap();
        done.unwrap();
        assert_eq!(read, text);
    }

    #[tokio::test]
    async fn a_stream_that_ends_early_is_garbage() {
        let (mut client, server) = tokio::io::duplex(8);
        client.write_all(b"PRI").await.unwrap();
        drop(client);
        assert_eq!(Prefixed::sniff(server, false).await.unwrap().0, Verdict::Garbage);
    }
}
