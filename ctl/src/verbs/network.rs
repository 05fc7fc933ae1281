//! The verbs that list the daemons in the network and the addresses of the panel.

use std::net::SocketAddr;

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use rosc::OscType;
use serde_json::json;
use timbre_control::osc::{PANEL, message};

use super::print::line;
use super::{Error, client};
use crate::cli::Global;
use crate::find;

/// Prints the daemons in the network.
pub(super) fn find(global: &Global) -> Result<(), Error> {
    let all = find::find()?;
    if global.json {
        let row = |f: &find::Found| {
            let (osc_port, http_port) = (f.osc_port, f.http_port);
            json!({"name": f.name, "ip": f.ip, "osc_port": osc_port, "http_port": http_port})
        };
        return line(&serde_json::Value::from_iter(all.iter().map(row)).to_string());
    }
    if all.is_empty() {
        return line(
            "nothing was found; a timbred is found once its remote.bind or osc.bind is 0.0.0.0",
        );
    }
    all.iter().try_for_each(|found| {
        let osc = found.osc_port.map(|port| format!("--host {} --port {port}", found.ip));
        let page =
            found.http_port.map(|port| format!("http://{}/", SocketAddr::new(found.ip, port)));
        let text = format!(
            "{:32} {:36} {}",
            found.name,
            osc.unwrap_or_default(),
            page.unwrap_or_default()
        );
        line(text.trim_end())
    })
}

/// Prints the addresses of the panel, and a QR code for a phone.
pub(super) fn panel(global: &Global) -> Result<(), Error> {
    let answers = client(global)?.ask(vec![message(PANEL, Vec::new())])?;
    let args = answers.iter().flat_map(|m| &m.args);
    let urls: Vec<&str> = args
        .filter_map(|arg| match arg {
            OscType::String(url) => Some(url.as_str()),
            _ => None,
        })
        .collect();
    if global.json {
        return line(&json!(urls).to_string());
    }
    let Some(first) = urls.first() else {
        return line("there is no panel: remote.on is false, or its port is taken (see the log)");
    };
    urls.iter().try_for_each(|url| line(url))?;
    if first.starts_with("http://127.") || first.starts_with("http://[::1]") {
        return line(
            "only this machine reaches it; `bind = \"0.0.0.0\"` in [remote] of the configuration \
             lets phones in",
        );
    }
    let code = QrCode::new(first).map_err(|e| Error::Usage(e.to_string()))?;
    let mut drawn = code.render::<Dense1x2>();
    // Most terminals are light on dark, so the colours of the code are swapped.
    let (dark, light) = (Dense1x2::Light, Dense1x2::Dark);
    line(&drawn.dark_color(dark).light_color(light).build())
}
