//! One gateway per journal: a lock on a file in the folder, and one on the place where the folder stands.
//!
//! The file says who holds it, works on every system, and between machines and containers that share a
//! disk. But it goes away with the folder. The place is held by a socket in Linux's abstract namespace,
//! named after the folder above and the folder's name there: no file, so it cannot be removed, and the
//! kernel frees it when the process ends. A gateway whose folder was removed still keeps a second one from
//! the same path. Where there are no such sockets, the file alone has to do.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use super::error::OpenError;
use super::files;

/// The file in the journal's folder.
pub(super) const NAME: &str = "journal.lock";

/// Holds the journal until it is dropped, or the process is gone.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    #[cfg(target_os = "linux")]
    _site: Option<site::Held>,
}

impl Lock {
    /// Takes both locks of a folder that exists.
    pub(super) fn take(folder: &Path) -> Result<Self, OpenError> {
        #[cfg(target_os = "linux")]
        let site = site::hold(folder)?;
        Ok(Self {
            _file: take_file(folder)?,
            #[cfg(target_os = "linux")]
            _site: site,
        })
    }
}

fn take_file(place: &Path) -> Result<File, OpenError> {
    let path = place.join(NAME);
    let failed = |error: std::io::Error| OpenError::of_io(&path, &error);
    let mut file = files::open_file(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who holds it is only a help; without it the message is still true.
            let is_known = file.read_to_string(&mut holder).is_ok();
            let pid = holder.trim().parse().ok().filter(|_| is_known);
            return Err(OpenError::InUse {
                folder: place.to_owned(),
                pid,
            });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    file.set_len(0).map_err(failed)?;
    file.rewind().map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}

#[cfg(target_os = "linux")]
mod site {
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::io::Errno;
    use rustix::net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
        sockopt,
    };

    use super::super::error::OpenError;
    use super::super::place::Site;

    /// A socket that carries no data: it only has to exist.
    #[derive(Debug)]
    pub(super) struct Held {
        _socket: OwnedFd,
    }

    /// Who has the socket.
    enum Holder {
        /// A gateway, and its process if it could be asked.
        Gateway(Option<u32>),
        /// A process of another user. The names can be guessed, so it proves nothing.
        Stranger,
    }

    /// Holds the place of the folder; `None` where the system has no such sockets or does not allow them.
    pub(super) fn hold(folder: &Path) -> Result<Option<Held>, OpenError> {
        let site = Site::of(folder).map_err(|error| OpenError::of_io(folder, &error))?;
        let Ok(address) = SocketAddrUnix::new_abstract_name(site.name().as_bytes()) else {
            return Ok(None);
        };
        let Ok(socket) = socket() else {
            return Ok(None);
        };
        match bind(&socket, &address) {
            // A second gateway connects to it to learn whose it is, so it has to listen.
            Ok(()) => Ok(listen(&socket, 1)
                .is_ok()
                .then_some(Held { _socket: socket })),
            Err(Errno::ADDRINUSE) => match holder(&address) {
                Holder::Gateway(pid) => Err(OpenError::InUse {
                    folder: folder.to_owned(),
                    pid,
                }),
                Holder::Stranger => Ok(None),
            },
            Err(_) => Ok(None),
        }
    }

    fn socket() -> rustix::io::Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
    }

    fn holder(address: &SocketAddrUnix) -> Holder {
        let asked = socket().and_then(|socket| connect(&socket, address).map(|()| socket));
        let socket = match asked {
            Ok(socket) => socket,
            // It listens, and others have asked it before.
            Err(Errno::AGAIN) => return Holder::Gateway(None),
            Err(_) => return Holder::Stranger,
        };
        let Ok(peer) = sockopt::socket_peercred(&socket) else {
            return Holder::Gateway(None);
        };
        if peer.uid.is_root() || peer.uid == rustix::process::geteuid() {
            Holder::Gateway(u32::try_from(peer.pid.as_raw_nonzero().get()).ok())
        } else {
            Holder::Stranger
        }
    }
}
