//! Decision: what a warm pool lacks and what it has too many of.
//!
//! A desktop of an older template is replaced one at a time, and removed before its successor is made: where each holds a
//! GPU, there may be room for no more.

/// A desktop that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Whether it can be claimed.
    pub ready: bool,
    /// Whether it will never be.
    pub failed: bool,
    /// Whether it was made from the template as it is now.
    pub current: bool,
}

/// What to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// How many to make.
    pub make: usize,
    /// Which to remove.
    pub remove: Vec<usize>,
}

/// What to do about the desktops that wait, the oldest first, where there are to be `size` of them.
pub fn plan(waiting: &[Waiting], size: usize) -> Plan {
    let mut keep: Vec<usize> = (0..waiting.len())
        .filter(|&i| !waiting[i].failed && (waiting[i].current || waiting[i].ready))
        .collect();
    // Those that help least go first: of an older template, not ready, young.
    keep.sort_by_key(|&i| (!waiting[i].current, !waiting[i].ready, i));
    keep.truncate(size);
    let settled = keep.iter().all(|&i| waiting[i].ready) && keep.len() == size;
    if settled && keep.last().is_some_and(|&i| !waiting[i].current) {
        keep.pop();
    }
    Plan {
        make: if settled { size - keep.len() } else { size.saturating_sub(keep.len()) },
        remove: (0..waiting.len()).filter(|i| !keep.contains(i)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const READY: Waiting = Waiting { ready: true, failed: false, current: true };
    const STARTING: Waiting = Waiting { ready: false, failed: false, current: true };
    const FAILED: Waiting = Waiting { ready: false, failed: true, current: true };
    const OLD: Waiting = Waiting { ready: true, failed: false, current: false };

    fn planned(waiting: &[Waiting], size: usize) -> (usize, Vec<usize>) {
        let plan = plan(waiting, size);
        (plan.make, plan.remove)
    }

    #[test]
    fn a_pool_is_filled_and_a_full_one_left_alone() {
        assert_eq!(planned(&[], 3), (3, vec![]));
        assert_eq!(planned(&[READY, STARTING], 3), (1, vec![]));
        assert_eq!(planned(&[READY, STARTING, READY], 3), (0, vec![]));
    }

    #[test]
    fn failed_ones_are_replaced_and_too_many_removed_from_the_youngest_that_is_not_ready() {
        assert_eq!(planned(&[FAILED, READY], 2), (1, vec![0]));
        assert_eq!(planned(&[STARTING, READY, READY], 2), (0, vec![0]));
        assert_eq!(planned(&[READY, READY], 0), (0, vec![0, 1]));
    }

    #[test]
    fn an_older_template_is_replaced_one_at_a_time() {
        assert_eq!(planned(&[OLD, OLD], 2), (1, vec![1]));
        assert_eq!(planned(&[OLD, STARTING], 2), (0, vec![]), "the first successor is waited for");
        assert_eq!(planned(&[OLD, READY], 2), (1, vec![0]));
    }

    proptest! {
        #[test]
        fn what_is_left_and_made_is_what_is_wanted(
            pods in prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>()), 0..12),
            size in 0_usize..8,
        ) {
            let waiting: Vec<Waiting> = pods
                .into_iter()
                .map(|(ready, failed, current)| Waiting { ready: ready && !failed, failed, current })
                .collect();
            let plan = plan(&waiting, size);
            prop_assert_eq!(waiting.len() - plan.remove.len() + plan.make, size);
        }
    }
}
