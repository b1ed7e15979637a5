//! Setup: reads single values and collects what is wrong with them, so that every bad one is reported and not only the first.

use std::{collections::BTreeMap, fmt, str::FromStr};

/// Reads values and collects what is wrong with them.
pub(super) struct Checks {
    wrong: Vec<String>,
    variables: BTreeMap<String, String>,
}

impl Checks {
    /// `variables`: from which the values of options are that are not from the command line.
    pub(super) fn new(variables: BTreeMap<String, String>) -> Self {
        Self { wrong: Vec::new(), variables }
    }

    /// What is wrong, a line each.
    pub(super) fn wrong(self) -> Vec<String> {
        self.wrong
    }

    pub(super) fn refuse(&mut self, option: &str, value: &str, accepted: &str) {
        let name = self.variables.get(option).cloned().unwrap_or_else(|| format!("--{option}"));
        self.wrong.push(format!("{name} {value:?}: accepted is {accepted}"));
    }

    pub(super) fn number<T: FromStr + PartialOrd + Copy + fmt::Display>(
        &mut self,
        option: &str,
        value: &str,
        (min, max): (T, T),
    ) -> T {
        match value.parse() {
            Ok(number) if (min..=max).contains(&number) => number,
            _ => {
                self.refuse(option, value, &format!("a whole number from {min} to {max}"));
                min
            }
        }
    }

    pub(super) fn boolean(&mut self, option: &str, value: &str) -> bool {
        self.boolean_among(option, value, "true or false")
    }

    /// The same where the word `auto`, which the caller has looked for, is accepted too.
    pub(super) fn boolean_or_auto(&mut self, option: &str, value: &str) -> bool {
        self.boolean_among(option, value, "true, false or auto")
    }

    fn boolean_among(&mut self, option: &str, value: &str, accepted: &str) -> bool {
        match value.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => true,
            "false" | "0" | "no" | "off" => false,
            _ => {
                self.refuse(option, value, accepted);
                false
            }
        }
    }

    pub(super) fn one_of<T: Copy>(&mut self, option: &str, value: &str, accepted: &[(&str, T)]) -> T {
        if let Some((_, found)) = accepted.iter().find(|(name, _)| *name == value) {
            return *found;
        }
        let names: Vec<_> = accepted.iter().map(|(name, _)| *name).collect();
        self.refuse(option, value, &names.join(", "));
        accepted[0].1
    }
}
