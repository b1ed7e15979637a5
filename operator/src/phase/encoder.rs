//! Decision: what the condition EncoderReady says, from the launcher's report.

use super::{
    EncoderAtWork, Facts,
    conditions::{self, Truth},
    pod::{Word, short},
};
use crate::api::{CONDITION_ENCODER, EncoderPolicy, GpuMode, VDISessionStatus};
use k8s_openapi::api::core::v1::Pod;
use vdi_protocol::reason::FailureReason;

/// Reason where software encodes although hardware was preferred.
pub const FALLBACK: &str = "SoftwareFallback";

/// The condition; `ready` is what Ready says, which an encoder may be to blame for.
pub fn condition(
    facts: &Facts<'_>,
    status: &mut VDISessionStatus,
    pod: Option<&Pod>,
    ready: &Word,
) -> (Truth, Word) {
    if [FailureReason::GpuInitError, FailureReason::EncoderUnavailable]
        .iter()
        .any(|it| it.as_str() == ready.reason)
    {
        status.encoder = None;
        return (Truth::False, ready.clone());
    }
    if pod.is_none() {
        status.encoder = None;
        return (Truth::False, Word::new("NoPod", "The session has no pod now."));
    }
    if let Some(encoder) = facts.report.and_then(|report| report.encoder.as_deref()) {
        status.encoder = Some(encoder.name.clone());
        return (Truth::True, at_work(facts, encoder));
    }
    // Nothing new is known of an encoder that was at work, as after the operator was started again.
    let old = conditions::find(status, CONDITION_ENCODER);
    if let Some(old) = old.filter(|old| old.status == "True" && status.encoder.is_some()) {
        return (Truth::True, Word::new(&old.reason, old.message.clone()));
    }
    match facts.silence {
        Some(why) => (
            Truth::Unknown,
            Word::new(
                "NotAnswering",
                format!(
                    "The launcher does not answer the operator: {}. Idle and disconnected limits wait for it; a network policy must let the operator reach port 8080 of the pod.",
                    short(why)
                ),
            ),
        ),
        None => match old.filter(|old| old.status == "Unknown") {
            Some(old) => (Truth::Unknown, Word::new(&old.reason, old.message.clone())),
            None => (Truth::Unknown, Word::new("NotAsked", "The launcher has not told its encoder yet.")),
        },
    }
}

fn at_work(facts: &Facts<'_>, encoder: &EncoderAtWork) -> Word {
    let name = &encoder.name;
    if encoder.hardware {
        return Word::new("Hardware", format!("{name} encodes {} on the GPU.", encoder.codec));
    }
    let wanted = facts.desktop.is_ok_and(|desktop| {
        desktop.spec.encoder_policy != EncoderPolicy::Software
            && desktop.spec.gpu.mode != GpuMode::None
            && desktop.gpu > 0
    });
    if !wanted {
        return Word::new("Software", format!("{name} encodes {} in software.", encoder.codec));
    }
    let tried = match encoder.tried.as_str() {
        "" => String::new(),
        tried => format!(": {}", short(tried)),
    };
    Word::new(
        FALLBACK,
        format!("{name} encodes {} in software, since no hardware encoder worked{tried}.", encoder.codec),
    )
}
