//! The worker's end of the socket.

use std::fs::File;
use std::io::{self, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde::Serialize;

use super::ServeError;
use crate::mill::wire::{self, HEADER_BYTES, Kind};

/// A frame's body, and the descriptors that came with it.
type Frame = (Vec<u8>, Vec<File>);

pub(super) struct Socket {
    stream: UnixStream,
    sender: Sender,
}

/// Whole frames, from any thread.
#[derive(Debug, Clone)]
pub(super) struct Sender(Arc<Mutex<UnixStream>>);

impl Sender {
    pub(super) fn send(&self, kind: Kind, body: &impl Serialize) -> io::Result<()> {
        let frame = wire::encode(kind, body)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(&frame)
    }
}

impl Sender {
    /// To nobody.
    pub(super) fn nowhere() -> io::Result<Self> {
        let (ours, _) = UnixStream::pair()?;
        Ok(Self(Arc::new(Mutex::new(ours))))
    }
}

impl Socket {
    /// Takes the socket from stdin's place, where a library that reads "stdin" would find it.
    pub(super) fn from_stdin() -> io::Result<Self> {
        let stdin = rustix::stdio::stdin();
        // Refuses what is no socket.
        rustix::net::sockopt::socket_type(stdin)?;
        let stream = UnixStream::from(rustix::io::fcntl_dupfd_cloexec(stdin, super::SOCKET_FD)?);
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        let sender = Sender(Arc::new(Mutex::new(stream.try_clone()?)));
        Ok(Self { stream, sender })
    }

    pub(super) fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Another descriptor of the socket, to see the rank hang up.
    pub(super) fn watch(&self) -> io::Result<OwnedFd> {
        Ok(self.stream.try_clone()?.into())
    }

    /// The body of the next frame, which must be of this kind, and the descriptors that came with it; none when the rank
    /// has hung up.
    pub(super) fn receive(&mut self, want: Kind) -> Result<Option<Frame>, ServeError> {
        let mut header = [0; HEADER_BYTES];
        let (n, fds) = self.receive_first(&mut header)?;
        if n == 0 {
            return Ok(None);
        }
        self.stream.read_exact(header.get_mut(n..).unwrap_or_default())?;
        let (kind, len) = wire::header(header).map_err(|error| ServeError::Protocol(error.to_string()))?;
        if kind != want {
            return Err(ServeError::Protocol(format!("{kind:?} instead of {want:?}")));
        }
        let mut body = vec![0; len];
        self.stream.read_exact(&mut body)?;
        Ok(Some((body, fds)))
    }

    fn receive_first(&self, header: &mut [u8]) -> io::Result<(usize, Vec<File>)> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(header)];
        let received = loop {
            match recvmsg(&self.stream, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Err(rustix::io::Errno::INTR) => {}
                received => break received?,
            }
        };
        let mut fds = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                fds.extend(rights.map(File::from));
            }
        }
        Ok((received.bytes, fds))
    }
}
