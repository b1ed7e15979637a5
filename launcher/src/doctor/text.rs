//! Decision: a report as text, for a terminal: a line for each check with a sign, and under it what to change.

use std::fmt::Write;
use vdi_protocol::doctor::{Check, Outcome, Report};

/// The whole report, with a last line that sums it up.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    for check in &report.checks {
        line(&mut text, check);
    }
    let count = |outcome| report.checks.iter().filter(|check| check.outcome == outcome).count();
    let (failed, warnings) = (count(Outcome::Failed), count(Outcome::Warning));
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let sum = match (failed, warnings) {
        (0, 0) => "Everything that was looked at is as it should be.".to_owned(),
        (0, _) => format!("It works; {} could be better.", plural(warnings, "thing")),
        (_, 0) => format!("{} failed.", plural(failed, "check")),
        _ => format!("{} failed, {}.", plural(failed, "check"), plural(warnings, "warning")),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n{sum}");
    text
}

fn line(text: &mut String, check: &Check) {
    let sign = match check.outcome {
        Outcome::Passed => "✔",
        Outcome::Warning => "!",
        Outcome::Failed => "✘",
        Outcome::Skipped => "–",
    };
    let target = check.target.as_ref().map(|target| format!("{target}: ")).unwrap_or_default();
    let reason = check.reason.as_ref().map(|reason| format!(" [{reason}]")).unwrap_or_default();
    let _ = writeln!(text, "{sign} {:<11}{target}{}{reason}", check.name.as_str(), check.message);
    if let Some(advice) = &check.advice {
        let _ = writeln!(text, "  {:<11}→ {advice}", "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::{With, check};
    use vdi_protocol::doctor::CheckName;

    #[test]
    fn each_check_is_a_line_with_a_sign_and_its_advice_under_it() {
        let checks = vec![
            check(CheckName::Gpu, Outcome::Passed, "NVML sees L4."),
            check(CheckName::TurnTls, Outcome::Failed, "Nothing listens.")
                .of("turns:h")
                .because("REFUSED")
                .advise("Start it."),
            check(CheckName::Clock, Outcome::Skipped, "Nothing expires."),
        ];
        let report = Report { healthy: false, unix_seconds: 0.0, checks };
        assert_eq!(
            text(&report),
            "✔ gpu        NVML sees L4.\n\
             ✘ turnTls    turns:h: Nothing listens. [REFUSED]\n             → Start it.\n\
             – clock      Nothing expires.\n\
             \n1 check failed.\n"
        );
    }
}
