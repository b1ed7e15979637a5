//! Decision: whether what is there is already what is wanted, so that nothing is written which changes nothing.
//!
//! The API server fills in defaults, so what is there may say more: a wanted object fits if each of its fields is there
//! with its value. Lists have to have the same length, but for owners, labels and finalizers that others add.

use serde_json::Value;

/// Whether each field of `wanted` is in `there`.
pub fn fits(wanted: &Value, there: &Value) -> bool {
    match (wanted, there) {
        (Value::Object(wanted), Value::Object(there)) => wanted.iter().all(|(key, wanted)| {
            let there = there.get(key).unwrap_or(&Value::Null);
            match (key.as_str(), wanted, there) {
                ("ownerReferences", Value::Array(wanted), Value::Array(there)) => {
                    wanted.iter().all(|wanted| there.iter().any(|there| fits(wanted, there)))
                }
                _ => fits(wanted, there),
            }
        }),
        (Value::Array(wanted), Value::Array(there)) => {
            wanted.len() == there.len() && wanted.iter().zip(there).all(|(wanted, there)| fits(wanted, there))
        }
        // The API server drops what is empty, and so does a client that writes types.
        (Value::Null, _) => true,
        (Value::Array(wanted), Value::Null) => wanted.is_empty(),
        (Value::Object(wanted), Value::Null) => wanted.values().all(|wanted| fits(wanted, &Value::Null)),
        _ => wanted == there,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_of_the_server_are_no_difference() {
        let wanted = json!({ "spec": { "ports": [{ "port": 8080 }], "selector": { "a": "b" } } });
        let there = json!({ "spec": {
            "ports": [{ "port": 8080, "protocol": "TCP", "targetPort": 8080 }],
            "selector": { "a": "b" },
            "clusterIP": "10.0.0.1",
        } });
        assert!(fits(&wanted, &there));
    }

    #[test]
    fn a_changed_value_and_another_length_are_differences() {
        let wanted = json!({ "ports": [{ "port": 8080 }] });
        assert!(!fits(&wanted, &json!({ "ports": [{ "port": 8081 }] })));
        assert!(!fits(&wanted, &json!({ "ports": [{ "port": 8080 }, { "port": 22 }] })));
        assert!(!fits(&wanted, &json!({})));
    }

    #[test]
    fn what_is_empty_need_not_be_there() {
        assert!(fits(&json!({ "tls": {}, "egress": [], "gone": null }), &json!({})));
        assert!(!fits(&json!({ "egress": [{}] }), &json!({})));
    }

    #[test]
    fn owners_that_others_add_are_no_difference() {
        let ours = json!({ "uid": "1" });
        let both = json!([{ "uid": "2" }, { "uid": "1", "controller": true }]);
        assert!(fits(&json!({ "ownerReferences": [ours] }), &json!({ "ownerReferences": both })));
    }
}
