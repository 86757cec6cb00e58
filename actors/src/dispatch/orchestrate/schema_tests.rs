//! What schemas say of answers.

use super::*;

#[track_caller]
fn expect(schema: &str, values: &[(&str, bool)]) {
    let schema = serde_json::from_str(schema).unwrap();
    for (text, is_broken) in values {
        let value = serde_json::from_str(text).unwrap();
        assert_eq!(is_broken_by(&schema, &value), *is_broken, "{schema}: {text}");
    }
}

#[test]
fn what_is_required_must_be_there_and_of_its_type() {
    let schema = r#"{"type":"object","required":["name","tags"],"properties":{
        "name":{"type":"string"},"age":{"type":["integer","null"]},"kind":{"enum":["a","b"]},
        "tags":{"type":"array","items":{"type":"string"}}}}"#;
    expect(
        schema,
        &[
            (r#"{"name":"x","tags":["y"],"age":3,"kind":"a"}"#, false),
            (r#"{"name":"x","tags":[],"age":null,"more":1}"#, false),
            (r#"{"name":"x","tags":[],"age":3.0}"#, false),
            (r#"{"name":"x"}"#, true),
            (r#"{"name":1,"tags":[]}"#, true),
            (r#"{"name":"x","tags":[1]}"#, true),
            (r#"{"name":"x","tags":[],"age":3.5}"#, true),
            (r#"{"name":"x","tags":[],"kind":"c"}"#, true),
            ("[]", true),
        ],
    );
}

#[test]
fn members_that_nobody_asked_for_break_a_schema_that_forbids_them() {
    let schema = r#"{"properties":{"n":{"anyOf":[{"type":"integer"},{"type":"null"}]}},"additionalProperties":false}"#;
    expect(
        schema,
        &[
            (r#"{"n":1}"#, false),
            (r#"{"n":null}"#, false),
            (r#"{"n":"x"}"#, true),
            (r#"{"n":1,"extra":1}"#, true),
        ],
    );
    expect(
        r#"{"additionalProperties":{"type":"string"}}"#,
        &[(r#"{"a":"b"}"#, false), (r#"{"a":1}"#, true)],
    );
    // Perhaps the pattern takes it.
    let with_pattern = r#"{"patternProperties":{"^x":{}},"additionalProperties":false}"#;
    expect(with_pattern, &[(r#"{"a":1}"#, false)]);
}

#[test]
fn schemas_are_put_together_and_referred_to() {
    let tree = r##"{"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","required":["of"],
        "properties":{"of":{"type":"array","items":{"$ref":"#/$defs/tree"}}}}}}"##;
    expect(
        tree,
        &[
            (r#"{"of":[{"of":[]},{"of":[{"of":[]}]}]}"#, false),
            (r#"{"of":[{"of":[]},{"of":[{}]}]}"#, true),
        ],
    );
    expect(
        r#"{"allOf":[{"type":"integer"},{"minimum":3}]}"#,
        &[("3", false), ("2", true)],
    );
    let one_of = r#"{"oneOf":[{"minimum":3},{"maximum":5}]}"#;
    expect(one_of, &[("4", true), ("2", false), ("6", false)]);
    expect(r#"{"not":{"const":1}}"#, &[("1.0", true), ("2", false)]);
    expect(
        r#"{"prefixItems":[{"type":"string"}],"items":{"type":"integer"}}"#,
        &[(r#"["a",1,2]"#, false), (r#"["a","b"]"#, true), ("[1]", true)],
    );
}

#[test]
fn bounds_hold_for_what_they_are_bounds_of() {
    expect(
        r#"{"exclusiveMinimum":1,"maximum":2,"minLength":2,"maxLength":3,"minItems":1,"maxItems":2,"maxProperties":1}"#,
        &[
            ("1", true),
            ("1.5", false),
            ("2.5", true),
            (r#""a""#, true),
            (r#""äöü""#, false),
            (r#""abcd""#, true),
            ("[]", true),
            ("[1,2]", false),
            ("[1,2,3]", true),
            (r#"{"a":1,"b":2}"#, true),
        ],
    );
}

#[test]
fn what_is_not_understood_speaks_against_nobody() {
    for schema in [
        "{}",
        "true",
        r#"{"type":"date"}"#,
        r#"{"pattern":"^a"}"#,
        r#"{"not":{"format":"uuid"}}"#,
        r#"{"oneOf":[{"pattern":"a"},{"pattern":"b"}]}"#,
        r#"{"anyOf":[{"type":"string"},{"multipleOf":2}]}"#,
        r#"{"$ref":"https://example.com/schema"}"#,
        r##"{"$ref":"#/$defs/nobody"}"##,
        r##"{"$ref":"#name"}"##,
        r#"{"exclusiveMinimum":true,"minimum":1}"#,
        r#"{"required":"name"}"#,
        "7",
    ] {
        expect(schema, &[("1", false)]);
    }
    expect("false", &[("1", true)]);
    // What is understood counts all the same.
    expect(r#"{"pattern":"^a","type":"string"}"#, &[("1", true)]);
}

#[test]
fn a_schema_that_never_ends_is_given_up() {
    let values = [("1", false), (r#"{"x":{"x":{"x":1}}}"#, false)];
    expect(r##"{"$ref":"#"}"##, &values);
    expect(r##"{"allOf":[{"$ref":"#"},{"$ref":"#"}]}"##, &values);
    // Each level doubles what is to be looked at.
    let mut doubling = String::from(r##"{"$ref":"#/$defs/d0","$defs":{"##);
    for level in 0..40 {
        let next = format!(r##"{{"$ref":"#/$defs/d{}"}}"##, level + 1);
        doubling.push_str(&format!(r#""d{level}":{{"allOf":[{next},{next}]}},"#));
    }
    doubling.push_str(r#""d40":{}}}"#);
    expect(&doubling, &values);
    // So does a long list that is looked through at each place.
    let names: Vec<String> = (0..20_000).map(|number| format!("\"{number}\"")).collect();
    let listed = format!(r#"{{"items":{{"enum":[{}]}}}}"#, names.join(","));
    let items = vec!["\"19999\""; 1_000].join(",");
    expect(&listed, &[(&format!("[{items},1]"), false), ("[1]", true)]);
}
