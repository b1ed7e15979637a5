//! Shell: measures how busy the processors are, as a share of what this process may use. It reads the files that
//! [`cgroup`] and [`host`] find and understand, and refuses to judge the figure.
//!
//! A container may be given half a processor of an idle machine, or all of a machine that others keep busy. Both leave no
//! room, so the worse of the two counts.

mod cgroup;
mod host;

use cgroup::Group;
use host::{Processors, Ticks};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Two looks closer together say nothing: the kernel counts in hundredths of a second.
const SHORTEST: Duration = Duration::from_millis(100);

/// What the counters said at some time.
struct Reading {
    at: Duration,
    host: Option<Ticks>,
    /// Nanoseconds used, one for each group.
    groups: Vec<Option<u64>>,
}

/// Measures the load between two looks.
pub struct CpuMeter {
    /// `/`, but in tests.
    root: PathBuf,
    started: Instant,
    processors: Processors,
    groups: Vec<Group>,
    last: Option<Reading>,
    load: Option<f64>,
}

impl Default for CpuMeter {
    fn default() -> Self {
        Self::new()
    }
}

impl CpuMeter {
    /// Finds out where the kernel counts for this process.
    pub fn new() -> Self {
        Self::at(Path::new("/"))
    }

    fn at(root: &Path) -> Self {
        let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
        let mut groups = cgroup::groups(&text("proc/self/cgroup"), &text("proc/self/mountinfo"));
        // A controller's root has no limits, and never gets any.
        groups.retain(|group| group.quota_files().iter().all(|file| root.join(file).exists()));
        #[expect(clippy::disallowed_methods, reason = "this shell hands the time to the rest")]
        let started = Instant::now();
        Self {
            root: root.to_owned(),
            started,
            processors: Processors::allowed(&text("proc/self/status")),
            groups,
            last: None,
            load: None,
        }
    }

    /// The load since the last look, 0 to 1; `None` at the first one, and where the kernel does not tell.
    pub fn sample(&mut self) -> Option<f64> {
        self.sample_at(self.started.elapsed())
    }

    fn sample_at(&mut self, now: Duration) -> Option<f64> {
        if self.last.as_ref().is_some_and(|last| now.saturating_sub(last.at) < SHORTEST) {
            return self.load;
        }
        let text = |path: &Path| fs::read_to_string(self.root.join(path)).unwrap_or_default();
        let reading = Reading {
            at: now,
            host: host::ticks(&text(Path::new("proc/stat")), &self.processors),
            groups: self.groups.iter().map(|group| group.usage_ns(text)).collect(),
        };
        self.load = self.last.as_ref().and_then(|last| {
            let seconds = now.saturating_sub(last.at).as_secs_f64();
            let of_host = reading.host.zip(last.host).and_then(|(now, then)| now.busy_share_since(then));
            let used = reading.groups.iter().zip(&last.groups);
            let of_quotas = self.groups.iter().zip(used).filter_map(|(group, (now, then))| {
                let used_ns = (*now)?.checked_sub((*then)?)?;
                Some(used_ns as f64 / 1e9 / seconds / group.allowed_processors(text)?)
            });
            of_quotas.chain(of_host).reduce(f64::max).map(|load| load.clamp(0.0, 1.0))
        });
        self.last = Some(reading);
        self.load
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `/` of its own, which goes away with it.
    struct Root(PathBuf);

    impl Root {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("gst-vdi-cpu-{name}-{}", std::process::id()));
            let root = Self(path);
            root.write("proc/self/status", "Cpus_allowed_list:\t0-1\n");
            root
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        /// Two processors that were busy for so many hundredths of a second each, of so many.
        fn host(&self, busy: u64, of: u64) {
            let line = format!("{busy} 0 0 {} 0 0 0 0 0 0", of - busy);
            self.write("proc/stat", &format!("cpu  1 2 3 4\ncpu0 {line}\ncpu1 {line}\nintr 5\n"));
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn close(load: Option<f64>, expected: f64) -> bool {
        load.is_some_and(|load| (load - expected).abs() < 1e-9)
    }

    #[test]
    fn the_tightest_of_the_limits_above_a_process_counts() {
        let root = Root::new("v2");
        root.write("proc/self/cgroup", "0::/kubepods/pod1/c1\n");
        root.write("proc/self/mountinfo", "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        let usage = |folder: &str, usec: u64| {
            root.write(
                &format!("sys/fs/cgroup/{folder}cpu.stat"),
                &format!("usage_usec {usec}\nuser_usec 1\n"),
            );
        };
        let pod = "kubepods/pod1/";
        root.write("sys/fs/cgroup/kubepods/cpu.max", "max 100000\n");
        root.write("sys/fs/cgroup/kubepods/pod1/cpu.max", "100000 100000\n");
        root.write("sys/fs/cgroup/kubepods/pod1/c1/cpu.max", "200000 100000\n");
        for folder in ["", "kubepods/", pod, "kubepods/pod1/c1/"] {
            usage(folder, 0);
        }
        root.host(0, 0);
        let mut meter = CpuMeter::at(&root.0);
        assert_eq!(meter.sample_at(Duration::from_secs(10)), None, "one look is none");

        // In a second the container used 0.5 of its 2 processors, its pod 0.9 of 1, and the host is idle by 80 %.
        usage("kubepods/pod1/c1/", 500_000);
        usage(pod, 900_000);
        usage("kubepods/", 1_900_000);
        root.host(20, 100);
        assert!(close(meter.sample_at(Duration::from_secs(11)), 0.9));
        assert!(close(meter.sample_at(Duration::from_millis(11_050)), 0.9), "too soon to say anything else");

        // The host is busier than the quotas.
        root.host(115, 200);
        assert!(close(meter.sample_at(Duration::from_secs(12)), 0.95));

        // The limit of the pod is raised while we run: 1.2 of 4.
        root.write("sys/fs/cgroup/kubepods/pod1/cpu.max", "400000 100000\n");
        usage(pod, 900_000 + 1_200_000);
        root.host(115, 300);
        assert!(close(meter.sample_at(Duration::from_secs(13)), 0.3));
    }

    #[test]
    fn cgroups_of_version_1_are_understood() {
        let root = Root::new("v1");
        root.write("proc/self/cgroup", "3:cpu:/job\n2:cpuacct:/job\n0::/\n");
        root.write(
            "proc/self/mountinfo",
            "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n33 31 0:30 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n",
        );
        root.write("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "50000\n");
        root.write("sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
        root.write("sys/fs/cgroup/cpuacct/job/cpuacct.usage", "1000000000\n");
        root.host(0, 0);
        let mut meter = CpuMeter::at(&root.0);
        meter.sample_at(Duration::ZERO);
        root.write("sys/fs/cgroup/cpuacct/job/cpuacct.usage", "1400000000\n");
        root.host(20, 100);
        assert!(close(meter.sample_at(Duration::from_secs(1)), 0.8), "0.4 s in a second of half a processor");
        root.write("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "-1\n");
        root.host(50, 200);
        assert!(close(meter.sample_at(Duration::from_secs(2)), 0.3), "without a limit the host alone counts");
    }

    #[test]
    fn a_system_that_tells_nothing_makes_an_unknown_load() {
        let root = Root::new("bare");
        let mut meter = CpuMeter::at(&root.0);
        assert_eq!((0..3).map(|s| meter.sample_at(Duration::from_secs(s))).collect::<Vec<_>>(), [None; 3]);
    }

    #[test]
    fn this_machine_tells_its_load() {
        let mut meter = CpuMeter::new();
        assert_eq!(meter.sample(), None);
        let begun = meter.started.elapsed();
        while meter.started.elapsed() - begun < Duration::from_millis(300) {
            std::hint::spin_loop();
        }
        let load = meter.sample().expect("Linux tells");
        assert!(load > 0.0 && load <= 1.0, "{load} after 300 ms of work");
    }
}
