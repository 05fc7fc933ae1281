//! Opens what listens on TCP, and gets it back. Nothing of it is needed to play: where a port
//! cannot be had the log says so, and it is tried again.

use std::sync::Arc;

use super::Daemon;
use super::parts::Retry;
use crate::control::{Remote, RemoteOptions, Token, machine_name};

impl Daemon {
    /// Opens it, if it is wanted and there is a service to give what comes.
    pub(super) fn open_remote(&mut self) {
        self.remote_retry = Retry::new();
        self.try_remote();
    }

    /// Ends it; its connections are closed.
    pub(super) fn close_remote(&mut self) {
        self.remote = None;
        self.panel.store(Arc::default());
    }

    pub(super) fn look_after_remote(&mut self) {
        if self.remote.as_ref().is_some_and(Remote::is_dead) {
            tracing::error!("the thread of TCP ended; starting it again");
            self.close_remote();
        }
        if self.remote.is_none() && self.osc.is_some() && self.remote_retry.is_due() {
            self.try_remote();
        }
    }

    fn try_remote(&mut self) {
        let config = &self.loaded.config;
        let (Some(remote), Some(osc)) = (&config.remote, &self.osc) else { return };
        let name = remote.name.clone();
        let options = RemoteOptions {
            http: remote.bind,
            osc: osc.address(),
            token: Token::new(&config.token),
            name: name.unwrap_or_else(|| format!("timbred ({})", machine_name())),
        };
        let is_open_to_all = !remote.bind.ip().is_loopback() && config.token.is_empty();
        match Remote::start(options, osc.connections()) {
            Ok(remote) => {
                tracing::info!("panel: {}", remote.urls().join(" "));
                if is_open_to_all {
                    tracing::warn!(
                        "every machine of the network may do everything: set remote.token where others use it too"
                    );
                }
                self.panel.store(Arc::new(remote.urls().to_vec()));
                self.remote = Some(remote);
                self.remote_retry = Retry::new();
            }
            Err(e) => tracing::warn!(
                "the panel cannot listen on {}: {e}; choose another remote.port, or end the program that has it",
                remote.bind
            ),
        }
    }
}
