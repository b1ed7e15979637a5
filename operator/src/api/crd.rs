//! Decision: the CRDs as they are installed, from the types.

use super::{VDISession, VDITemplate};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

/// Both, ready to be installed.
pub fn crds() -> [CustomResourceDefinition; 2] {
    [VDISession::crd(), VDITemplate::crd()].map(|mut crd| {
        let schemas = crd.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut());
        schemas.filter_map(|schema| schema.open_api_v3_schema.as_mut()).for_each(polished);
        crd
    })
}

/// A CRD as the file under `deploy/crd/`.
pub fn yaml(crd: &CustomResourceDefinition) -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(crd)
}

/// What `kubectl explain` and the rules read is polished, down to the last field.
fn polished(schema: &mut JSONSchemaProps) {
    // A field that is null is as good as absent: the API server drops it then, and the rules need not ask for it.
    schema.nullable = None;
    if let Some(description) = &mut schema.description {
        // Lines of the source are none of the reader's.
        let paragraphs = description.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
        *description = paragraphs.collect::<Vec<_>>().join("\n\n");
        // `kubectl explain` shows no defaults of its own.
        if let Some(default) =
            schema.default.as_ref().map(|default| &default.0).filter(|default| !default.is_object())
        {
            *description = format!("{description} Default: {default}.");
        }
    }
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(polished);
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => polished(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(polished),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        polished(values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_under_deploy_are_what_the_types_say() {
        for crd in crds() {
            let file = format!("{}/../deploy/crd/{}.yaml", env!("CARGO_MANIFEST_DIR"), crd.spec.names.plural);
            let kept = std::fs::read_to_string(&file).unwrap();
            let is_fresh = kept == yaml(&crd).unwrap();
            assert!(is_fresh, "{file} is stale: `target/debug/vdi-operator crd` prints it anew");
        }
    }

    #[test]
    fn every_rule_has_a_bad_sample_that_breaks_it() {
        fn messages(schema: &JSONSchemaProps, found: &mut Vec<String>) {
            let rules = schema.x_kubernetes_validations.iter().flatten();
            found.extend(rules.filter_map(|rule| rule.message.clone()));
            schema.properties.iter().flatten().for_each(|(_, field)| messages(field, found));
            if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
                messages(items, found);
            }
        }
        let mut rules = vec![];
        for crd in crds() {
            let schema =
                crd.spec.versions[0].schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
            messages(schema.unwrap(), &mut rules);
        }
        let folder = format!("{}/../deploy/samples/bad", env!("CARGO_MANIFEST_DIR"));
        let files = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        let words: Vec<String> =
            files.map(|text| text.lines().next().unwrap().rsplit("# ").next().unwrap().to_owned()).collect();
        let unbroken: Vec<_> = rules
            .iter()
            .filter(|rule| {
                !words
                    .iter()
                    .any(|words| rule.starts_with(words.split_once(": ").map_or(&**words, |(_, rest)| rest)))
            })
            .collect();
        assert!(rules.len() > 50, "{}", rules.len());
        assert_eq!(unbroken, Vec::<&String>::new());
    }

    #[test]
    fn every_field_of_both_kinds_is_described() {
        fn undescribed(path: &str, schema: &JSONSchemaProps, found: &mut Vec<String>) {
            if schema.description.is_none() && path.contains('.') && !path.ends_with("[]") {
                found.push(path.to_owned());
            }
            for (name, field) in schema.properties.iter().flatten() {
                undescribed(&format!("{path}.{name}"), field, found);
            }
            if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
                undescribed(&format!("{path}[]"), items, found);
            }
        }
        let mut found = vec![];
        for crd in crds() {
            let schema =
                crd.spec.versions[0].schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
            undescribed(&crd.spec.names.kind, schema.unwrap(), &mut found);
        }
        assert_eq!(found, Vec::<String>::new());
    }
}
