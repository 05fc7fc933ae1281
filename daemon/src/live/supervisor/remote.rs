//! Opens the servers on TCP, and restarts them if they are lost. They are not needed to play: if a
//! port is taken, the log says so, and opening it is tried again.

use std::sync::Arc;

use super::Daemon;
use super::parts::Retry;
use crate::control::{Remote, RemoteOptions, Token, machine_name};

impl Daemon {
    /// Opens them, if they are wanted and there is a service that takes their packets.
    pub(super) fn open_remote(&mut self) {
        self.remote_retry = Retry::new();
        if let Err(e) = self.try_remote() {
            tracing::warn!("{e}; it is tried again");
        }
    }

    /// Ends them and closes their connections.
    pub(super) fn close_remote(&mut self) {
        self.remote = None;
        self.panel.store(Arc::default());
    }

    pub(super) fn look_after_remote(&mut self) {
        if self.remote.as_ref().is_some_and(Remote::is_dead) {
            tracing::error!("the thread of TCP ended; starting it again");
            self.close_remote();
        }
        if self.remote.is_none()
            && self.remote_retry.is_due()
            && let Err(e) = self.try_remote()
        {
            tracing::debug!("{e}");
        }
    }

    fn try_remote(&mut self) -> Result<(), String> {
        let config = &self.loaded.config;
        let (Some(remote), Some(osc)) = (&config.remote, &self.osc) else { return Ok(()) };
        let name = remote.name.clone();
        let options = RemoteOptions {
            http: remote.bind,
            osc: osc.address(),
            token: Token::new(&config.token),
            name: name.unwrap_or_else(|| format!("timbred ({})", machine_name())),
        };
        let is_network_let_in =
            [remote.bind, osc.address()].iter().any(|at| !at.ip().is_loopback());
        let remote = Remote::start(options, osc.connections()).map_err(|e| {
            let what = "choose another remote.port, or end the program that has it";
            format!("the panel cannot listen on {}: {e}; {what}", remote.bind)
        })?;
        tracing::info!("panel: {}", remote.urls().join(" "));
        if is_network_let_in && config.token.is_empty() {
            tracing::warn!(
                "every machine of the network may do everything: set remote.token where others \
                 use it too"
            );
        }
        self.panel.store(Arc::new(remote.urls().to_vec()));
        self.remote = Some(remote);
        self.remote_retry = Retry::new();
        Ok(())
    }
}
