//! Setup: behaviour of the operator from outside, on a real Kubernetes control plane: one test binary, one cluster.
//! Only nodes are played: what a kubelet and a launcher would do is done, or left undone, by `nodes.rs`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(clippy::disallowed_methods, reason = "shell: a real cluster lives in real time")]

mod address;
mod children;
mod control_plane;
mod dump;
mod launcher;
mod nodes;
mod place;
mod pod;
mod proxy;
mod stack;
mod storage;
mod wait;

mod cluster;
mod coturn;
mod crd;
mod deploy;
mod failures;
mod faults;
mod lifecycle;
mod limits;
mod monitoring;
mod options;
mod pool;
mod rights;
mod secrets;
