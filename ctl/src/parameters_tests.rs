//! Tests of parameters: their ranges, their texts, and the most similar address.

use super::*;

#[test]
fn numbers_outside_the_range_are_refused_with_what_was_wanted() {
    assert_eq!(HOP_MS.parse("40"), Ok(40.0));
    let wanted = "wanted a number from 20 to 5120 ms";
    assert_eq!(HOP_MS.parse("10"), Err(wanted.to_owned()));
    let wanted = "wanted a number from 20 to 5120 ms, or the word model";
    assert_eq!(HOP_MS.parse_value("10"), Err(wanted.to_owned()));
    assert!(GUIDANCE.parse("NaN").is_err());
    let wanted = "wanted a whole number from 1 to 1000";
    assert_eq!(STEPS.parse("1.5"), Err(wanted.to_owned()));
}

#[test]
fn addresses_are_unique_and_end_in_the_name() {
    let addresses: Vec<String> = ids().map(|id| id.address()).collect();
    for (i, address) in addresses.iter().enumerate() {
        assert!(!addresses[..i].contains(address), "{address}");
        assert_eq!(find(address).map(|id| id.address()), Ok(address.clone()));
    }
    for p in &PARAMETERS {
        assert!(p.address.ends_with(&format!("/{}", p.name)), "{}", p.address);
        assert!(p.min <= p.max && !p.help.is_empty());
    }
}

#[test]
fn an_unknown_address_names_the_nearest() {
    let text = unknown("/ch/3/gian").text;
    assert_eq!(text, "nothing is at /ch/3/gian; did you mean /ch/3/gain?");
    let text = unknown("/preset/lod").text;
    assert_eq!(text, "nothing is at /preset/lod; did you mean /preset/load?");
    assert_eq!(unknown("/completely/other").text, "nothing is at /completely/other");
    assert!(unknown(&"é".repeat(5000)).text.len() < 300);
}

#[test]
fn distances() {
    for (a, b, steps) in [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("gain", "gian", 2)] {
        assert_eq!(distance(a, b), steps, "{a} {b}");
    }
    assert_eq!(distance("kitten", "sitting"), 3);
}

#[test]
fn values_are_of_the_type_and_in_the_range() {
    assert_eq!(GUIDANCE.accept(&Value::Whole(99)), Ok(Value::Number(20.0)));
    assert_eq!(GUIDANCE.accept(&Value::Whole(0)), Ok(Value::Number(0.0)));
    assert_eq!(HOP_MS.accept(&Value::Whole(0)), Ok(Value::Model));
    assert_eq!(HOP_MS.accept(&Value::Number(3.0)), Ok(Value::Number(20.0)));
    assert_eq!(SEED.accept(&Value::Whole(i64::MAX)), Ok(Value::Whole(i64::MAX)));
    assert_eq!(SEED.accept(&Value::Number(1e300)), Ok(Value::Whole(i64::MAX)));
    assert_eq!(SEED.accept(&Value::Number(-3.0)), Ok(Value::Whole(0)));
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let refused = GUIDANCE.accept(&Value::Number(odd)).map_err(|e| e.code);
        assert_eq!(refused, Err(Code::BadValue));
    }
    let refused = SEED.accept(&Value::Text("x".to_owned())).map_err(|e| e.code);
    assert_eq!(refused, Err(Code::WrongArguments));
    assert_eq!(SEED.parse_value("9007199254740993"), Ok(Value::Whole(9_007_199_254_740_993)));
    assert_eq!(GUIDANCE.parse_value("model"), Ok(Value::Model));
}

#[test]
fn a_text_with_choices_is_one_of_them() {
    let ddim = Ok(Value::Text("ddim".to_owned()));
    assert_eq!(SAMPLER.parse_value(" DDIM "), ddim.clone());
    assert_eq!(SAMPLER.accept(&Value::Text("Ddim".to_owned())).map_err(|e| e.text), ddim);
    assert_eq!(SAMPLER.parse_value("model"), Ok(Value::Model));
    let wanted = "wanted ddim, dpm++2m, ddpm, ddpm:small, or the word model";
    assert_eq!(SAMPLER.parse_value("euler"), Err(wanted.to_owned()));
    let refused = SAMPLER.accept(&Value::Text("euler".to_owned())).unwrap_err();
    assert_eq!((refused.code, refused.text), (Code::BadValue, format!("found euler, {wanted}")));
    let refused = SAMPLER.accept(&Value::Whole(1)).map_err(|e| e.code);
    assert_eq!(refused, Err(Code::WrongArguments));
}
