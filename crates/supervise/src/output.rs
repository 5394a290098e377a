//! The output as it is kept: pieces of bounded size; of endless output the first and the last half of what is allowed.

use crate::segment::{Writer, sealed_files};
use neronet_model::event::Segment;
use neronet_store::spool::{self, Chunk, Segments};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

/// Text beyond this goes into a chunk of its own.
const CHUNK: usize = 64 << 10;

pub(crate) struct Output {
    folder: PathBuf,
    generation: u32,
    piece: u64,
    writer: Writer,
    /// Pieces that are complete, oldest first, with their sizes; the head is never dropped.
    pieces: VecDeque<(PathBuf, u64)>,
    head: u64,
    tail: u64,
    cap: u64,
    pub(crate) dropped_bytes: u64,
    chunk: Option<Chunk>,
}

impl Output {
    /// Goes on after the pieces of earlier generations.
    pub(crate) fn new(folder: &Path, generation: u32, cap: u64, before: &Segments) -> io::Result<Output> {
        let mut output = Output {
            folder: folder.to_path_buf(),
            generation,
            piece: 0,
            writer: Writer::new(folder, format!("output.{generation}.0.jsonl")),
            pieces: VecDeque::new(),
            head: 0,
            tail: 0,
            cap: cap.max(2),
            dropped_bytes: 0,
            chunk: None,
        };
        for path in before.of_kind("output") {
            let bytes = spool::length(path).map_err(io::Error::other)?;
            output.completed(path.to_path_buf(), bytes);
        }
        Ok(output)
    }

    fn completed(&mut self, path: PathBuf, bytes: u64) {
        if self.tail == 0 && self.head + bytes <= self.cap / 2 {
            self.head += bytes;
            return;
        }
        self.tail += bytes;
        self.pieces.push_back((path, bytes));
        while self.tail > self.cap / 2 && self.pieces.len() > 1 {
            if let Some((path, bytes)) = self.pieces.pop_front() {
                std::fs::remove_file(&path).ok();
                self.tail -= bytes;
                self.dropped_bytes += bytes;
            }
        }
    }

    /// Takes one line that a stream printed.
    pub(crate) fn line(&mut self, t: u64, src: &str, at: u64, text: &str) {
        if self.chunk.as_ref().is_some_and(|chunk| chunk.src != src || chunk.t != t || chunk.text.len() + text.len() > CHUNK) {
            self.close_chunk();
            // Pieces stay small whatever comes at once. If the disk is full, the next flush meets it again and says so.
            self.complete_piece().ok();
        }
        let chunk = self.chunk.get_or_insert_with(|| Chunk { t, src: src.to_string(), at, text: String::new() });
        chunk.text.push_str(text);
        chunk.text.push('\n');
        chunk.at = at;
    }

    fn close_chunk(&mut self) {
        if let Some(chunk) = self.chunk.take() {
            self.writer.push(&chunk);
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.writer.waiting()
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.close_chunk();
        self.writer.flush()?;
        self.complete_piece()
    }

    fn complete_piece(&mut self) -> io::Result<()> {
        if self.writer.bytes() >= (self.cap / 16).clamp(1, 64 << 20) {
            self.writer.flush()?;
            self.writer.sync()?;
            let path = self.folder.join(format!("output.{}.{}.jsonl", self.generation, self.piece));
            let bytes = self.writer.bytes();
            self.piece += 1;
            self.writer = Writer::new(&self.folder, format!("output.{}.{}.jsonl", self.generation, self.piece));
            self.completed(path, bytes);
        }
        Ok(())
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.writer.sync()
    }

    /// Everything that is kept, hashed.
    pub(crate) fn sealed(&self, there: &Segments) -> io::Result<Vec<Segment>> {
        sealed_files(there.of_kind("output"), self.writer.sealed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_output_keeps_its_beginning_and_its_end_within_the_cap() {
        let folder = tempfile::tempdir().expect("a folder");
        let cap = 200_000;
        let mut output = Output::new(folder.path(), 1, cap, &Segments::default()).expect("opens");
        for i in 0..100_000u64 {
            output.line(i / 10, "o", i, &format!("line {i} of very many"));
            if i % 10 == 9 {
                output.flush().expect("writes");
            }
        }
        output.flush().expect("writes");
        let mut text = String::new();
        spool::output(folder.path(), |chunk| text.push_str(&chunk.text)).expect("reads");
        assert!(text.starts_with("line 0 of"));
        assert!(text.ends_with("line 99999 of very many\n"));
        let kept: u64 =
            output.sealed(&Segments::of(folder.path()).expect("listed")).expect("hashes").iter().map(|segment| segment.bytes).sum();
        assert!(kept <= cap + cap / 8, "{kept}");
        assert!(kept > cap / 2, "{kept}");
        assert!(output.dropped_bytes > 0);
    }
}
