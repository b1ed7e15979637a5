//! Decision: which change of a status need not be written by itself: one that says only how far a desktop's start has come.
//! A thousand of them start at once, and each goes through such states faster than anybody reads them.

use super::conditions;
use crate::api::{CONDITION_READY, CONDITION_SUSPENDED, CONDITION_VALID, Phase, VDISessionStatus};

/// Reasons of Ready of a desktop whose start goes as it should.
const ON_ITS_WAY: [&str; 3] = ["Creating", "Scheduling", "Starting"];

/// Whether the step from the status that is written to a new one may be passed over, if a further one follows soon. What
/// has been counted, what the pod is, and everything that somebody has to know or to do something about may not.
pub fn is_in_passing(old: &VDISessionStatus, new: &VDISessionStatus) -> bool {
    let on_its_way = |status: &VDISessionStatus| {
        let ready = conditions::find(status, CONDITION_READY);
        status.phase == Phase::Creating
            && ready.is_some_and(|ready| ON_ITS_WAY.contains(&ready.reason.as_str()))
    };
    let facts = |status: &VDISessionStatus| VDISessionStatus {
        conditions: [CONDITION_VALID, CONDITION_SUSPENDED]
            .into_iter()
            .filter_map(|kind| conditions::find(status, kind).cloned())
            .collect(),
        ..status.clone()
    };
    on_its_way(old) && on_its_way(new) && facts(old) == facts(new)
}

#[cfg(test)]
mod tests {
    use super::{super::tests::World, *};
    use serde_json::json;

    /// Whether the step that this change brings about may be passed over.
    fn in_passing(world: &mut World, change: impl FnOnce(&mut World)) -> bool {
        let old = world.status().clone();
        change(world);
        let new = world.reconcile().status;
        assert_ne!(old, new, "nothing has changed");
        is_in_passing(&old, &new)
    }

    /// A session whose pod was made a moment ago.
    fn made() -> World {
        let mut world = World::new("{}", "{}");
        world.reconcile();
        world.reconcile();
        world
    }

    #[test]
    fn start_that_goes_well_is_passed_over_until_it_runs() {
        let mut world = made();
        assert!(in_passing(&mut world, |world| world.waits("ContainerCreating", "")));
        assert!(in_passing(&mut world, |world| world.runs(false)));
        assert!(!in_passing(&mut world, |world| world.runs(true)), "it runs");
        assert!(!in_passing(&mut world, |world| world.runs(false)), "it no longer does");
    }

    #[test]
    fn what_somebody_has_to_know_is_not_passed_over() {
        let unschedulable = json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3"}]});
        let changes: [&dyn Fn(&mut World); 7] = [
            &|world| world.pod_is(unschedulable.clone()),
            &|world| world.waits("ErrImagePull", "not found"),
            &|world| world.exits(137, "OOMKilled", ""),
            &|world| world.exits(10, "Error", "GPU_INIT_ERROR: none"),
            &|world| world.pod = None,
            &|world| world.delete_pod(),
            &|world| world.session.spec.suspended = true,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            assert!(!in_passing(&mut made(), change), "{number}");
        }
        let mut world = made();
        world.waits("ErrImagePull", "not found");
        world.reconcile();
        assert!(!in_passing(&mut world, |world| world.waits("ContainerCreating", "")), "it is over");
    }
}
