//! The wire: amounts and spans of time as Kubernetes writes them ("4Gi", "8h"), kept as they were written.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use std::{borrow::Cow, fmt, time::Duration};

/// An amount of memory or processors: `4Gi`, `500m`, `2`. A number without quotes is one too, as in a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Quantity(pub String);

/// What YAML may hold.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(i64),
    Text(String),
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Number(number) => Self(number.to_string()),
            Written::Text(text) => Self(text),
        })
    }
}

impl Quantity {
    /// The amount in base units (bytes, cores); `None` for what is no quantity.
    pub fn value(&self) -> Option<f64> {
        let digits = self.0.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(self.0.len());
        let (number, suffix) = self.0.split_at(digits);
        let factor = match suffix {
            "" => 1.0,
            "m" => 1e-3,
            "k" => 1e3,
            "M" => 1e6,
            "G" => 1e9,
            "T" => 1e12,
            "Ki" => 1024.0,
            "Mi" => 1024.0_f64.powi(2),
            "Gi" => 1024.0_f64.powi(3),
            "Ti" => 1024.0_f64.powi(4),
            _ => return None,
        };
        Some(number.parse::<f64>().ok()? * factor)
    }
}

impl From<&str> for Quantity {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Schema of an amount of memory: enough for a desktop to start in.
pub(super) fn memory(_: &mut SchemaGenerator) -> Schema {
    quantity("4Gi", ("256Mi", "4Ti"))
}

/// Schema of an amount of processors.
pub(super) fn cpu(_: &mut SchemaGenerator) -> Schema {
    quantity("500m", ("100m", "256"))
}

/// Schema of an amount of storage.
pub(super) fn storage(_: &mut SchemaGenerator) -> Schema {
    quantity("10Gi", ("64Mi", "64Ti"))
}

fn quantity(example: &str, (least, most): (&str, &str)) -> Schema {
    const FORM: &str = "string(self).matches('^[0-9]{1,15}([.][0-9]{1,3})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$')";
    let bound = |compare: &str, bound: &str| {
        format!("quantity(string(self)).compareTo(quantity('{bound}')) {compare} 0")
    };
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "maxLength": 20,
        "x-kubernetes-validations": [
            { "rule": FORM, "message": format!("must be a quantity such as \"{example}\"") },
            {
                "rule": format!("!{FORM} || ({} && {})", bound(">=", least), bound("<=", most)),
                "message": format!("must be between {least} and {most}, such as \"{example}\""),
            },
        ],
    })
}

/// A span of time as Go writes it: `8h`, `1h30m`, `45s`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub String);

impl Span {
    /// How long it is; `None` for what is no span, and for none at all.
    pub fn duration(&self) -> Option<Duration> {
        let span = self.0.parse::<kube::core::Duration>().ok()?;
        let span: Option<Duration> = (!span.is_negative()).then(|| span.into());
        span.filter(|span| !span.is_zero())
    }
}

impl From<&str> for Span {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": 20,
            "x-kubernetes-validations": [
                {
                    "rule": "self.matches('^([0-9]+([.][0-9]+)?(h|m|s))+$')",
                    "message": "must be a span of time such as \"8h\", \"1h30m\" or \"90s\"",
                },
                {
                    "rule": "!self.matches('^([0-9]+([.][0-9]+)?(h|m|s))+$') || (duration(self) >= duration('10s') && duration(self) <= duration('720h'))",
                    "message": "must be between 10s and 720h",
                },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_with_their_suffix() {
        for (text, value) in [("2", 2.0), ("500m", 0.5), ("4Gi", 4_294_967_296.0), ("1.5G", 1.5e9)] {
            assert_eq!(Quantity::from(text).value(), Some(value), "{text}");
        }
        for text in ["", "Gi", "4GB", "-1"] {
            assert_eq!(Quantity::from(text).value(), None, "{text}");
        }
    }

    #[test]
    fn number_without_quotes_is_a_quantity_too() {
        let read = |json: &str| serde_json::from_str::<Quantity>(json).ok().map(|quantity| quantity.0);
        assert_eq!(read("2").as_deref(), Some("2"));
        assert_eq!(read("\"2\"").as_deref(), Some("2"));
        assert_eq!(read("[2]"), None);
    }

    #[test]
    fn spans_are_read_as_go_reads_them() {
        for (text, seconds) in [("8h", 28_800), ("1h30m", 5_400), ("45s", 45)] {
            assert_eq!(Span::from(text).duration(), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "8", "-1h", "soon"] {
            assert_eq!(Span::from(text).duration(), None, "{text}");
        }
    }
}
