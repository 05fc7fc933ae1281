//! Checks that a browser can open the panel: its configuration, and the answers at its addresses.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use timbre_control::status::{Finding, Status};

use crate::config::Config;

const WHAT: &str = "panel";
/// How long to wait for an answer.
const ANSWER: Duration = Duration::from_millis(500);
/// How much of an answer is read, bytes. The first line is enough.
const FIRST: usize = 64;

/// Checks the panel. `status` is that of the running daemon, if there is one.
pub(super) fn finding(config: &Config, status: Option<&Status>) -> Finding {
    let Some(remote) = &config.remote else {
        return Finding::good(WHAT, "switched off (remote.on = false)");
    };
    let who = who(remote.bind, &config.token);
    let Some(status) = status else {
        let found = format!("timbred does not run; it would listen on {}, {who}", remote.bind);
        return Finding::good(WHAT, found);
    };
    if status.panel.is_empty() {
        return Finding::warning(
            WHAT,
            format!("timbred runs without it; {} is probably another program's", remote.bind),
            "choose another remote.port, or end the program that has it; the log says more",
        );
    }
    let urls = status.panel.join(" ");
    match status.panel.iter().find_map(|url| refusal(url)) {
        None => Finding::good(WHAT, format!("{urls}, {who}")),
        Some(why) => Finding::warning(
            WHAT,
            format!("{why} (of {urls})"),
            "a firewall of this machine may be in the way: let TCP in on that port",
        ),
    }
}

/// Says who may open the panel.
fn who(bind: SocketAddr, token: &str) -> &'static str {
    match (bind.ip().is_loopback(), token.is_empty()) {
        (true, _) => "for this machine only (remote.bind lets others in)",
        (false, true) => "for every machine of the network, without a token",
        (false, false) => {
            "for the network with the token; `timbrectl panel` shows the whole address"
        }
    }
}

/// Says why no panel answers at an address; none if one does.
fn refusal(url: &str) -> Option<String> {
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let ask = |at: SocketAddr| -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&at, ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        // In one piece: a server that answers after the first would refuse the rest.
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = vec![];
        stream.take(FIRST as u64).read_to_end(&mut answer)?;
        Ok(answer)
    };
    let Ok(at) = host.parse() else { return Some(format!("{url} is no address")) };
    match ask(at) {
        Ok(answer) if is_panel(&answer) => None,
        Ok(_) => Some(format!("another program answers at {url}")),
        Err(e) => Some(format!("nothing answers at {url}: {e}")),
    }
}

/// Whether an answer comes from the panel: the page, or the demand for a token.
fn is_panel(answer: &[u8]) -> bool {
    ["HTTP/1.1 200", "HTTP/1.1 401"].iter().any(|line| answer.starts_with(line.as_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Starts a listener that sends the same answer to a number of connections, and returns its
    /// address.
    fn answering(answer: &'static str, connections: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        thread::spawn(move || {
            for mut stream in listener.incoming().take(connections).flatten() {
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        url
    }

    #[test]
    fn the_panel_is_told_from_silence_and_from_other_programs() {
        for answer in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 401 Unauthorized\r\n\r\n"] {
            assert_eq!(refusal(&answering(answer, 1)), None);
        }
        let other = refusal(&answering("SSH-2.0-x\r\n", 1)).unwrap();
        assert!(other.starts_with("another program answers"), "{other}");
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let silence = refusal(&format!("http://{gone}/")).unwrap();
        assert!(silence.starts_with("nothing answers"), "{silence}");
    }

    #[test]
    fn who_may_open_it_is_said() {
        let [here, all] = ["127.0.0.1:9001", "0.0.0.0:9001"].map(|at| at.parse().unwrap());
        assert!(who(here, "").starts_with("for this machine"));
        assert!(who(all, "").ends_with("without a token"));
        assert!(who(all, "a-long-token").contains("timbrectl panel"));
    }
}
