//! The operator: `VDISession` and `VDITemplate` become pods, homes, secrets, services, routes and network policies.
//!
//! A session is reconciled in five verbs, each in a module of its own, and the types prove their order:
//!
//! ```text
//! dereference ──▶ validate ──▶ decide ──▶ build ──▶ apply ──▶ status
//!  template,       Desktop      phase::    Objects   server-    and requeue
//!  pod, report                  Decision             side
//! ```
//!
//! Its only state is the API server's: it may be killed at any moment, and another goes on from there.

pub mod api;
pub mod build;
pub mod credentials;
pub mod desktop;
pub mod names;
pub mod phase;
pub mod settings;
pub mod validate;

#[cfg(test)]
mod test_data;
