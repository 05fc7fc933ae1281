//! Who is told of which change, and when. Knows no socket; used by the thread `timbred-osc`.
//!
//! Each subscriber has the value it knows of every parameter it wants: what it was last sent, or what it set itself. Where
//! the current value is another, it is sent, at most `hz` times a second; so the newest wins, whatever changed it, and
//! nobody gets back what they sent.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use timbre_control::error::{Code, ControlError};
use timbre_control::osc::LEASE_S;
use timbre_control::parameters::Id;
use timbre_control::pattern::Pattern;
use timbre_control::value::Value;

/// Most subscriptions, fixed targets not counted.
const MOST: usize = 64;
/// How long a subscription lasts without being renewed.
const LEASE: Duration = Duration::from_secs(LEASE_S as u64);

#[derive(Debug)]
struct Subscriber {
    /// Where changes go.
    target: SocketAddr,
    /// Who asked for them; what they change is not sent either.
    owner: SocketAddr,
    pattern: Pattern,
    /// Place in the list of parameters, and the value that the subscriber knows.
    known: Vec<(usize, Value)>,
    interval: Duration,
    /// Nothing is sent before.
    next: Instant,
    /// Until when; none for a fixed target.
    lease: Option<Instant>,
}

/// All subscribers.
#[derive(Debug, Default)]
pub struct Subscribers {
    addresses: Vec<String>,
    list: Vec<Subscriber>,
}

impl Subscribers {
    /// Nobody, for these parameters.
    pub fn new(ids: &[Id]) -> Self {
        Self { addresses: ids.iter().map(Id::address).collect(), list: Vec::new() }
    }

    /// A target from the config, which has no lease.
    pub fn add_fixed(
        &mut self,
        target: SocketAddr,
        pattern: Pattern,
        hz: f64,
        now: Instant,
        current: &[Value],
    ) {
        self.insert(target, target, pattern, hz, None, now, current);
    }

    /// A subscription, or its renewal.
    ///
    /// # Errors
    /// There are too many.
    pub fn add(
        &mut self,
        target: SocketAddr,
        owner: SocketAddr,
        pattern: Pattern,
        hz: f64,
        now: Instant,
        current: &[Value],
    ) -> Result<(), ControlError> {
        let lease = Some(now + LEASE);
        let same = |s: &&mut Subscriber| s.target == target && s.pattern == pattern;
        if let Some(subscriber) = self.list.iter_mut().find(same) {
            subscriber.owner = owner;
            subscriber.interval = Duration::from_secs_f64(hz.recip());
            // A fixed target stays one.
            subscriber.lease = subscriber.lease.and(lease);
            return Ok(());
        }
        if self.list.iter().filter(|s| s.lease.is_some()).count() >= MOST {
            let text = format!(
                "there are {MOST} subscriptions already; unsubscribe one, or wait {LEASE_S} s for \
                 those that are not renewed to end"
            );
            return Err(ControlError::new(Code::Full, text));
        }
        self.insert(target, owner, pattern, hz, lease, now, current);
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of the subscriber")]
    fn insert(
        &mut self,
        target: SocketAddr,
        owner: SocketAddr,
        pattern: Pattern,
        hz: f64,
        lease: Option<Instant>,
        now: Instant,
        current: &[Value],
    ) {
        let known = self
            .addresses
            .iter()
            .zip(current)
            .enumerate()
            .filter(|(_, (address, _))| pattern.matches(address))
            .map(|(place, (_, value))| (place, value.clone()))
            .collect();
        let interval = Duration::from_secs_f64(hz.recip());
        self.list.push(Subscriber { target, owner, pattern, known, interval, next: now, lease });
    }

    /// Ends the subscriptions of a target, or the one with this pattern; fixed targets stay.
    pub fn remove(&mut self, target: SocketAddr, pattern: Option<&Pattern>) {
        self.list.retain(|s| {
            let meant = s.target == target && pattern.is_none_or(|p| *p == s.pattern);
            s.lease.is_none() || !meant
        });
    }

    /// Somebody set a parameter: they know its value.
    pub fn heard(&mut self, from: SocketAddr, place: usize, value: &Value) {
        let own = self.list.iter_mut().filter(|s| s.target == from || s.owner == from);
        for (_, known) in own.flat_map(|s| &mut s.known).filter(|(p, _)| *p == place) {
            *known = value.clone();
        }
    }

    /// Whether there is anybody to whom something could be sent now; ends leases that are over.
    pub fn any_due(&mut self, now: Instant) -> bool {
        self.list.retain(|s| s.lease.is_none_or(|until| until > now));
        self.list.iter().any(|s| s.next <= now)
    }

    /// Sends what changed to those whose time it is.
    pub fn publish(
        &mut self,
        now: Instant,
        current: &[Value],
        mut send: impl FnMut(SocketAddr, &str, &Value),
    ) {
        for subscriber in self.list.iter_mut().filter(|s| s.next <= now) {
            let mut sent = false;
            for (place, known) in &mut subscriber.known {
                if let (Some(value), Some(address)) =
                    (current.get(*place), self.addresses.get(*place))
                    && value != known
                {
                    send(subscriber.target, address, value);
                    *known = value.clone();
                    sent = true;
                }
            }
            if sent {
                subscriber.next = now + subscriber.interval;
            }
        }
    }

    /// How many there are, fixed targets among them.
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

/// The address as the socket at `own` knows it: one that listens on all of IPv6 reaches IPv4 too, under
/// other names.
pub fn reachable(own: SocketAddr, target: SocketAddr) -> Option<SocketAddr> {
    let ip = match (own.ip(), target.ip()) {
        (IpAddr::V6(all), IpAddr::V4(ip)) if all.is_unspecified() => ip.to_ipv6_mapped().into(),
        (IpAddr::V4(_), IpAddr::V6(ip)) => ip.to_ipv4_mapped()?.into(),
        (IpAddr::V6(_), IpAddr::V4(_)) => return None,
        (_, ip) => ip,
    };
    Some(SocketAddr::new(ip, target.port()))
}

#[cfg(test)]
mod tests {
    use timbre_control::parameters::ids;

    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn sent(list: &mut Subscribers, now: Instant, values: &[Value]) -> Vec<(u16, String)> {
        let mut all = Vec::new();
        list.publish(now, values, |to, address, _| all.push((to.port(), address.to_owned())));
        all
    }

    #[test]
    fn changes_go_to_all_but_their_source_at_their_rate_until_the_lease_ends() {
        let ids: Vec<Id> = ids().collect();
        let place = ids.iter().position(|id| id.address() == "/master/gain").unwrap();
        let mut values = vec![Value::Whole(0); ids.len()];
        let now = Instant::now();
        let mut list = Subscribers::new(&ids);
        let pattern = |text| Pattern::new(text).unwrap();
        list.add_fixed(address(9), pattern("//*"), 30.0, now, &values);
        for (port, text) in [(1, "//*"), (2, "/master/*"), (3, "/ch/*/*")] {
            let to = address(port);
            list.add(to, to, pattern(text), 10.0, now, &values).unwrap();
        }
        values[place] = Value::Whole(1);
        list.heard(address(1), place, &values[place]);
        let all = sent(&mut list, now, &values);
        assert_eq!(all, [(9, "/master/gain".to_owned()), (2, "/master/gain".to_owned())]);
        // Too early for 2, then the newest value once.
        let early = now + Duration::from_millis(50);
        values[place] = Value::Whole(2);
        let ports: Vec<u16> = sent(&mut list, early, &values).iter().map(|s| s.0).collect();
        assert_eq!(ports, [9, 1]);
        values[place] = Value::Whole(3);
        let late = now + Duration::from_millis(160);
        let ports: Vec<u16> = sent(&mut list, late, &values).iter().map(|s| s.0).collect();
        assert_eq!(ports, [9, 1, 2]);
        list.remove(address(2), None);
        list.remove(address(9), None);
        assert_eq!(list.len(), 3);
        assert!(list.any_due(now + LEASE));
        assert_eq!(list.len(), 1);
    }

    #[test]
    fn there_are_no_more_than_fit_and_renewing_needs_no_place() {
        let ids: Vec<Id> = ids().collect();
        let values = vec![Value::Whole(0); ids.len()];
        let now = Instant::now();
        let mut list = Subscribers::new(&ids);
        let pattern = || Pattern::new("/master/gain").unwrap();
        for port in 0..MOST as u16 {
            list.add(address(port), address(port), pattern(), 1.0, now, &values).unwrap();
        }
        list.add(address(0), address(0), pattern(), 1.0, now, &values).unwrap();
        let full = list.add(address(99), address(99), pattern(), 1.0, now, &values).unwrap_err();
        assert_eq!(full.code, Code::Full);
    }
}
