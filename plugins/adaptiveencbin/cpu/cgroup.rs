//! Decision: which cgroups limit this process, and what their files say. Refuses to open files: it names them, and is
//! handed their texts.
//!
//! A limit holds for a group and all below it, so every group from the process's own up to the mount's root is asked.

use std::path::{Path, PathBuf};

/// Groups within groups that are looked at; Kubernetes nests four or five.
const MAX_DEPTH: usize = 32;

/// A group whose limit may be ours.
#[derive(Debug, PartialEq)]
pub enum Group {
    /// cgroup v2: `cpu.stat` and `cpu.max`.
    Unified {
        /// Its folder.
        folder: PathBuf,
    },
    /// cgroup v1, whose accounts may be mounted elsewhere.
    Legacy {
        /// Folder of the controller `cpu`.
        limits: PathBuf,
        /// Folder of the controller `cpuacct`.
        accounts: PathBuf,
    },
}

impl Group {
    /// The files that hold its limit.
    pub fn quota_files(&self) -> Vec<PathBuf> {
        match self {
            Self::Unified { folder } => vec![folder.join("cpu.max")],
            Self::Legacy { limits, .. } => {
                vec![limits.join("cpu.cfs_quota_us"), limits.join("cpu.cfs_period_us")]
            }
        }
    }

    /// Processors that it may use; `None` without a limit.
    pub fn allowed_processors(&self, text: impl Fn(&Path) -> String) -> Option<f64> {
        let texts: String = self.quota_files().iter().map(|file| text(file) + " ").collect();
        quota(&texts)
    }

    /// Nanoseconds of processors that it has used.
    pub fn usage_ns(&self, text: impl Fn(&Path) -> String) -> Option<u64> {
        match self {
            Self::Unified { folder } => usage_in_stat(&text(&folder.join("cpu.stat"))),
            Self::Legacy { accounts, .. } => text(&accounts.join("cpuacct.usage")).trim().parse().ok(),
        }
    }
}

/// `200000 100000` are two processors; `max 100000` and `-1 100000` no limit.
fn quota(text: &str) -> Option<f64> {
    let mut words = text.split_whitespace().map(str::parse::<f64>);
    let (quota, period) = (words.next()?.ok()?, words.next()?.ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

fn usage_in_stat(stat: &str) -> Option<u64> {
    let usec: u64 = stat.lines().find_map(|line| line.strip_prefix("usage_usec "))?.trim().parse().ok()?;
    usec.checked_mul(1000)
}

/// The groups of a process, from its `/proc/self/cgroup` and `/proc/self/mountinfo`. Paths are relative to `/`.
pub fn groups(cgroup: &str, mountinfo: &str) -> Vec<Group> {
    let mounts: Vec<Mount> = mountinfo.lines().filter_map(Mount::parse).collect();
    let folders = |controller: Option<&str>| {
        let path = path_of(cgroup, controller)?;
        let mount = mounts.iter().find(|mount| mount.has(controller))?;
        Some(mount.folders(path))
    };
    let unified = folders(None).unwrap_or_default().into_iter().map(|folder| Group::Unified { folder });
    let limits = folders(Some("cpu")).unwrap_or_default();
    let accounts = folders(Some("cpuacct")).unwrap_or_default();
    // Both lists begin with the process's own group. Where the two trees differ, nothing can be compared.
    let legacy = if limits.len() == accounts.len() {
        limits.into_iter().zip(accounts)
    } else {
        Vec::new().into_iter().zip(Vec::new())
    };
    unified.chain(legacy.map(|(limits, accounts)| Group::Legacy { limits, accounts })).collect()
}

/// The process's path in the tree of a controller of v1, or of v2. A line is `4:cpu,cpuacct:/path` or `0::/path`.
fn path_of<'a>(cgroup: &'a str, controller: Option<&str>) -> Option<&'a str> {
    cgroup.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let found = match controller {
            Some(controller) => controllers.split(',').any(|name| name == controller),
            None => controllers.is_empty(),
        };
        found.then_some(path)
    })
}

/// A mounted tree of groups.
struct Mount<'a> {
    /// The group that is seen at the mount point.
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    /// `36 35 98:0 /root /point rw,noatime shared:1 - cgroup cgroup rw,cpu`
    fn parse(line: &'a str) -> Option<Self> {
        let (front, back) = line.split_once(" - ")?;
        let mut front = front.split(' ').skip(3);
        let mut back = back.split(' ');
        let (root, point) = (front.next()?, front.next()?);
        let (kind, options) = (back.next()?, back.nth(1)?);
        matches!(kind, "cgroup" | "cgroup2").then_some(Self { root, point, kind, options })
    }

    fn has(&self, controller: Option<&str>) -> bool {
        match controller {
            Some(controller) => {
                self.kind == "cgroup" && self.options.split(',').any(|option| option == controller)
            }
            None => self.kind == "cgroup2",
        }
    }

    /// The folders of a group and all above it, its own first.
    fn folders(&self, path: &str) -> Vec<PathBuf> {
        let point = Path::new(self.point.trim_start_matches('/'));
        // A container may see its own group as the mount's root, and the host's path of it.
        let below = match path.strip_prefix(self.root.trim_end_matches('/')) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => rest.trim_start_matches('/'),
            _ => "",
        };
        // Outside of what is mounted nothing is to be seen.
        let below = if below.split('/').any(|part| part == "..") { "" } else { below };
        let folder = point.join(below);
        let within = |folder: &&Path| folder.starts_with(point);
        folder.ancestors().take_while(within).take(MAX_DEPTH).map(Path::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unified(folders: &[&str]) -> Vec<Group> {
        folders.iter().map(|folder| Group::Unified { folder: folder.into() }).collect()
    }

    #[test]
    fn a_process_is_limited_by_its_group_and_all_above() {
        let mount = "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(
            groups("0::/user.slice/app.scope\n", mount),
            unified(&["sys/fs/cgroup/user.slice/app.scope", "sys/fs/cgroup/user.slice", "sys/fs/cgroup"])
        );
        assert_eq!(groups("0::/\n", mount), unified(&["sys/fs/cgroup/"]));
    }

    #[test]
    fn a_container_may_see_the_hosts_path_of_its_own_group_or_none() {
        let mount = "30 25 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(groups("0::/docker/abc\n", mount), unified(&["sys/fs/cgroup/"]));
        assert_eq!(
            groups("0::/docker/abcdef\n", mount),
            unified(&["sys/fs/cgroup/"]),
            "another group's name"
        );
        assert_eq!(groups("0::/../x\n", mount), unified(&["sys/fs/cgroup/"]));
        assert_eq!(groups("0::/docker/abc\n", ""), []);
        assert_eq!(groups("", mount), []);
    }

    #[test]
    fn version_1_has_a_mount_for_each_controller_or_one_for_both() {
        let legacy =
            |limits: &str, accounts: &str| Group::Legacy { limits: limits.into(), accounts: accounts.into() };
        let cgroup = "9:name=systemd:/x\n3:cpuset:/\n2:cpuacct:/a\n1:cpu:/a\n0::/\n";
        let mounts = "32 31 0:29 / /cg/cpu rw - cgroup cgroup rw,cpu\n33 31 0:30 / /cg/cpuacct rw - cgroup cgroup rw,cpuacct\n34 31 0:31 / /cg/cpuset rw - cgroup cgroup rw,cpuset\n";
        assert_eq!(
            groups(cgroup, mounts),
            [legacy("cg/cpu/a", "cg/cpuacct/a"), legacy("cg/cpu", "cg/cpuacct")]
        );
        let both = "32 31 0:29 /a /cg rw - cgroup cgroup rw,cpu,cpuacct\n";
        assert_eq!(groups("4:cpu,cpuacct:/a\n", both), [legacy("cg/", "cg/")]);
    }

    #[test]
    fn quotas_and_usage_are_read() {
        assert_eq!(quota("200000 100000\n"), Some(2.0));
        assert_eq!(quota("50000\n 100000\n "), Some(0.5));
        for none in ["max 100000\n", "-1 100000", "0 100000", "100000 0", "", "100000"] {
            assert_eq!(quota(none), None, "{none}");
        }
        assert_eq!(usage_in_stat("usage_usec 123\nuser_usec 100\nsystem_usec 23\n"), Some(123_000));
        assert_eq!(usage_in_stat("user_usec 100\n"), None);
    }
}
