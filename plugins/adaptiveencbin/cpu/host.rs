//! Decision: reads `/proc/stat` and the processors that this process may run on. Refuses to open files.

/// The processors that a process may run on: a container pinned to two of 64 is busy when those two are.
#[derive(Debug, PartialEq)]
pub struct Processors {
    /// First and last of each run; empty means all.
    runs: Vec<(u32, u32)>,
}

impl Processors {
    /// From the text of `/proc/self/status`, as `Cpus_allowed_list: 0-3,8`.
    pub fn allowed(status: &str) -> Self {
        let list =
            status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
        let run = |run: &str| {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
        };
        Self { runs: list.split(',').filter_map(run).collect() }
    }

    fn contain(&self, number: u32) -> bool {
        self.runs.is_empty() || self.runs.iter().any(|(first, last)| (first..=last).contains(&&number))
    }
}

/// Counted ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ticks {
    busy: u64,
    total: u64,
}

impl Ticks {
    /// The busy share of the time between; `None` when there was none, or a processor went away.
    pub fn busy_share_since(self, then: Self) -> Option<f64> {
        let total = self.total.checked_sub(then.total).filter(|total| *total > 0)?;
        Some(self.busy.checked_sub(then.busy)? as f64 / total as f64)
    }
}

/// The ticks of the given processors, from the text of `/proc/stat`.
pub fn ticks(stat: &str, processors: &Processors) -> Option<Ticks> {
    let mut sum: Option<Ticks> = None;
    for line in stat.lines() {
        let mut words = line.split_whitespace();
        let number =
            words.next().and_then(|name| name.strip_prefix("cpu")).and_then(|number| number.parse().ok());
        if !number.is_some_and(|number| processors.contain(number)) {
            continue;
        }
        // user nice system idle iowait irq softirq steal; guest time, which follows, is within user.
        let fields: Vec<u64> = words.map_while(|word| word.parse().ok()).take(8).collect();
        let [user, nice, system, idle, rest @ ..] = fields.as_slice() else { continue };
        let waiting = rest.first().copied().unwrap_or(0);
        // Time that the hypervisor gave to others is not there for us either.
        let busy = user + nice + system + rest.iter().skip(1).sum::<u64>();
        let sum = sum.get_or_insert_default();
        sum.busy += busy;
        sum.total += busy + idle + waiting;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "\
cpu  1161547 67637 141789 1266641 14672 0 4597 4589 0 0
cpu0 100 10 20 300 40 1 2 7 50 0
cpu1 900 0 0 100 0 0 0 0 0 0
cpu10 5 5 5 5
intr 108323838 0 7 0
ctxt 239237";

    #[test]
    fn only_the_allowed_processors_count() {
        let of = |list: &str| {
            ticks(STAT, &Processors::allowed(&format!("Name:\tx\nCpus_allowed_list:\t{list}\n")))
        };
        assert_eq!(of("0"), Some(Ticks { busy: 140, total: 480 }));
        assert_eq!(of("0-1"), Some(Ticks { busy: 1040, total: 1480 }));
        assert_eq!(of("1,9-12"), Some(Ticks { busy: 915, total: 1020 }));
        assert_eq!(of("5"), None);
        assert_eq!(of(""), of("0-63"), "an unknown list allows all");
        assert_eq!(ticks("", &Processors::allowed("")), None);
    }

    #[test]
    fn the_share_is_of_the_time_between() {
        let at = |busy, total| Ticks { busy, total };
        assert_eq!(at(150, 400).busy_share_since(at(100, 200)), Some(0.25));
        assert_eq!(at(150, 200).busy_share_since(at(100, 200)), None);
        assert_eq!(at(50, 100).busy_share_since(at(100, 200)), None);
    }
}
