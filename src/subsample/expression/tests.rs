use proptest::prelude::*;
use serde_json::json;

use super::tree::{Function, Operator, Path, Step};
use super::*;

fn sample() -> Map<String, Value> {
    let sample = json!({
        "url": "https://a.org/x.mp4", "views": "120", "likes": 7, "rate": 0.5, "title": "A Cat, sleeping", "none": null,
        "live": false, "tags": ["cat", "Sleep", 3], "clips": [["00:00:01.5", "00:00:04"]], "page idx": 4,
        "info": {"and": {"w": 640}, "list": [[1, 2], [3]]},
        "video_metadata": {"format": {"duration": "10.04"}, "streams": [{"width": 1280}]}
    });
    sample.as_object().unwrap().clone()
}

fn holds(text: &str) -> bool {
    let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    expression.holds(&sample()).unwrap_or_else(|clash| panic!("{text}: {clash}"))
}

#[test]
fn what_is_true_and_what_is_not() {
    for text in [
        "true",
        "likes == 7 and rate < 1 or false",
        "not likes > 7",
        "1 + 2 * 3 == 7 and (1 + 2) * 3 == 9 and 7 - 2 - 1 == 4 and 8 / 2 / 2 == 2 and -2 * -3 == 6 and --1 == 1",
        "views > 99 and views == 120 and views != 99 and '9' < 10 and views + 1 == 121",
        "title == \"A Cat, sleeping\" and 'a' < 'b' and title != 'x'",
        "'Cat' in title and contains(title, 'sleep') and not contains(title, 'dog') and 'dog' not in title",
        "lower(title) == 'a cat, sleeping' and len(title) == 15 and len(tags) == 3 and len(info) == 2",
        "'cat' in tags and 3 in tags and 4 not in tags and likes in [1, 7] and contains(tags, 'cat') and 'list' in info",
        "clips[0][1] == '00:00:04' and video_metadata.streams[0].width * 2 == 2560 and info.list[0] == [1, 2]",
        "`page idx` == 4 and info.`and`.w == 640",
        "none == null and likes != null and not (none > 0) and not (none < 0)",
        "has(likes) and not has(none) and not has(nothing) and not has(info.w) and has(info.list[1][0])",
        "duration == 2.5 and has(duration)",
        "live == false and not live",
        "1 == 1 or 'a' in likes",
        "likes != 'seven' and tags != 3",
        "1e3 == 1000 and 2.50 == 2.5",
    ] {
        assert!(holds(text), "{text}");
        assert!(!holds(&format!("not ({text})")), "not ({text})");
    }
}

#[test]
fn what_is_missing_meets_no_comparison() {
    for text in
        ["x == 1", "x != 1", "x < 1", "x >= 1", "x == null", "x != null", "x", "x in [1]", "1 in x", "x in tags"]
    {
        assert!(!holds(text), "{text}");
    }
    for text in ["x + 1 > 0", "-x < 0", "1 / 0 > 0", "0 / 0 == 0", "len(x) >= 0", "lower(x) == ''", "clips[7][0] >= 0"]
    {
        assert!(!holds(text), "{text}");
    }
    assert!(holds("not x") && holds("not x.y[3].z"));
}

#[test]
fn the_duration_is_the_fields_the_clips_or_the_medias() {
    let expression = Expression::parse("duration == 3").unwrap();
    let probed = json!({"format": {"duration": "3.000"}});
    for (meta, want) in [
        (json!({"duration": 3, "clips": [[0, 9]]}), true),
        (json!({"duration": "3"}), true),
        (json!({"duration": null, "clips": [[1.1, 4.1]], "video_metadata": {"format": {"duration": "9"}}}), true),
        (json!({"clips": [["0:01", "0:04"]]}), true),
        (json!({"clips": [[0, 3], [3, 6]], "video_metadata": probed}), true),
        (json!({"clips": "rubbish", "video_metadata": probed}), true),
        (json!({"clips": [[0, 4]], "video_metadata": probed}), false),
        (json!({}), false),
    ] {
        assert_eq!(expression.holds(meta.as_object().unwrap()), Ok(want), "{meta}");
    }
}

#[test]
fn kinds_that_do_not_go_together_are_named() {
    for (text, want) in [
        ("title < 3", "`title < 3` cannot be worked out: text and a number have no order"),
        ("tags > 3", "`tags > 3` cannot be worked out: a list and a number have no order"),
        ("1 + title > 3", "`1 + title` cannot be worked out: text is no number to calculate with"),
        ("likes and true", "`likes` cannot be worked out: it is a number, where true or false is wanted"),
        ("title", "`title` cannot be worked out: it is text, where true or false is wanted"),
        ("2 in title", "`2 in title` cannot be worked out: text holds no number"),
        ("1 in likes", "`1 in likes` cannot be worked out: a number holds no number"),
        ("len(likes) > 1", "`len(likes)` cannot be worked out: len cannot take a number"),
        ("lower(live) == 'a'", "`lower(live)` cannot be worked out: lower cannot take true or false"),
    ] {
        let clash = Expression::parse(text).unwrap().holds(&sample()).unwrap_err();
        assert_eq!(clash.to_string(), want, "{text}");
    }
}

#[test]
fn mistakes_are_found_at_their_column() {
    for (text, want) in [
        ("", "column 1: expected a value, found the end"),
        ("duration >", "column 11: expected a value, found the end"),
        ("(a or b", "column 8: expected `)`, found the end"),
        ("a b", "column 3: expected an operator or the end, found `b`"),
        ("a = 1", "column 3: a lone `=`; write `==` to compare"),
        ("a && b", "column 3: `&` is no operator; write `and`"),
        ("!a", "column 1: a lone `!`; write `not`, or `!=` to compare"),
        ("é == 'x", "column 6: this text has no end: ' is missing"),
        ("1 < a < 3", "column 7: comparisons do not chain; write `a < b and b < c`"),
        ("a not b", "column 7: expected `in` behind `not`, found `b`"),
        ("size(a) > 1", "column 1: there is no function `size`; there are len, lower, contains, has"),
        ("len(a, b) > 1", "column 1: `len` takes 1 arguments, not 2"),
        ("has(1)", "column 1: `has` takes the name of a field"),
        ("a[-1] == 1", "column 3: expected a number from 0 on, found `-`"),
        ("a.1 == 1", "column 3: expected a name behind `.`, found `1`"),
        ("1e999 == a", "column 1: `1e999` is too large"),
        ("2s == a", "column 1: a number that goes on as a name; put a blank between, or the name in backquotes"),
        ("duration + 1", "column 1: `duration + 1` is a number, where true or false is wanted"),
        ("a and 1", "column 3: `1` is a number, where true or false is wanted"),
        ("'abc' < 3", "column 7: `'abc'` is text and `3` is a number: they never compare"),
        ("null < a", "column 6: `null` is null, which has no order"),
        ("1 + 'abc' > 2", "column 3: `'abc'` is text, where a number is wanted"),
        ("a in 3", "column 3: `3` is a number, which holds nothing"),
        ("len(3) > 1", "column 1: `3` is a number, which `len` cannot take"),
        ("a == §", "column 6: `§` has no meaning here"),
        ("`` == 1", "column 1: a name without a letter"),
    ] {
        let found = Expression::parse(text).map_err(|error| error.to_string());
        assert_eq!(found.err().as_deref(), Some(want), "{text}");
    }
}

#[test]
fn size_and_depth_are_limited() {
    let fails = |text: String| Expression::parse(&text).unwrap_err().message;
    let inside = |n: usize| format!("{}true{}", "(".repeat(n), ")".repeat(n));
    assert!(Expression::parse(&inside(40)).is_ok());
    for text in [inside(41), "not ".repeat(900) + "a", "-".repeat(900) + "1 < 2", "[".repeat(999), "len(".repeat(99)] {
        assert_eq!(fails(text), "nested more than 40 deep");
    }
    assert_eq!(fails("a and ".repeat(400) + "a"), "the expression has more than 300 parts");
    assert_eq!(fails("a".to_owned() + &".b".repeat(400)), "nested more than 40 deep");
    assert_eq!(fails(" ".repeat(4000) + "true"), "the expression is longer than 4000 characters");
    let long = Expression::parse(&("a and ".repeat(149) + "a")).unwrap();
    assert_eq!(long.holds(&sample()), Ok(false));
    assert_eq!(Expression::parse(&long.to_string()).unwrap().root, long.root);
}

#[test]
fn the_fields_it_looks_at() {
    let expression = Expression::parse("a.b > 1 and not has(c) or len([d, -e]) > lower(f)[0]");
    assert!(expression.is_err(), "an index behind a call");
    let expression = Expression::parse("a.b > 1 and not has(c) or len([d, -e]) > 1").unwrap();
    assert_eq!(expression.fields(), ["a", "c", "d", "e"]);
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z_][a-z0-9_]{0,5}", "[ a-zA-Z0-9'\"é.]{1,5}", Just("and".to_owned()), Just("len".to_owned())]
}

fn any_part() -> impl Strategy<Value = Expr> {
    let step = prop_oneof![name().prop_map(Step::Name), (0usize..100).prop_map(Step::Index)];
    let path = (name(), prop::collection::vec(step, 0..3)).prop_map(|(root, steps)| Path { root, steps });
    let atom = prop_oneof![
        1 => Just(Expr::Null),
        1 => any::<bool>().prop_map(Expr::Bool),
        1 => (0.0..1e300).prop_map(Expr::Number),
        1 => (0u32..1000).prop_map(|n| Expr::Number(n.into())),
        1 => "[ a-z'0-9é`]{0,8}".prop_map(Expr::Text),
        1 => "[ a-z\"0-9é`]{0,8}".prop_map(Expr::Text),
        2 => path.prop_map(Expr::Path),
    ];
    use Operator::*;
    const ALL: [Operator; 13] =
        [Or, And, Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual, In, Plus, Minus, Times, By];
    atom.prop_recursive(5, 60, 3, |inner| {
        let operator = prop::sample::select(&ALL[..]);
        prop_oneof![
            inner.clone().prop_map(|part| Expr::Not(Box::new(part))),
            inner.clone().prop_map(|part| Expr::Negative(Box::new(part))),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Expr::List),
            (prop::sample::select(&Function::ALL[..]), prop::collection::vec(inner.clone(), 2))
                .prop_map(|(function, arguments)| Expr::Call(function, arguments[..function.arity()].to_vec())),
            (operator.clone(), inner.clone(), inner.clone()).prop_map(|(operator, a, b)| Expr::Binary(
                operator,
                Box::new(a),
                Box::new(b)
            )),
            (operator, inner.clone(), inner).prop_map(|(operator, a, b)| Expr::Binary(
                operator,
                Box::new(a),
                Box::new(b)
            )),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}") {
        let _ = Expression::parse(&text).map(|expression| expression.holds(&sample()));
    }

    #[test]
    fn no_row_of_words_makes_it_panic(words in prop::collection::vec(prop::sample::select(&[
        "and", "or", "not", "in", "==", "<", ">=", "+", "-", "*", "/", "(", ")", "[", "]", ",", ".", "1", "0.5", "'a'",
        "null", "true", "likes", "tags", "title", "x", "len(", "has(", "lower(", "contains(", "duration",
    ][..]), 0..14)) {
        let _ = Expression::parse(&words.join(" ")).map(|expression| expression.holds(&sample()));
    }

    /// Most are refused for their kinds, but never as bad grammar; and what is good stays itself.
    #[test]
    fn what_is_printed_is_read_as_the_same(part in any_part()) {
        let text = part.to_string();
        match parse::grammar(&text) {
            Ok(read) => prop_assert_eq!(read, part, "{}", text),
            Err(error) => prop_assert!(false, "{}: {}", text, error),
        }
    }

    /// Nor does a sample of any kind: each part is worked out or its clash is told.
    #[test]
    fn every_expression_is_worked_out(part in any_part()) {
        let _ = eval::holds(&part, &sample());
    }
}
