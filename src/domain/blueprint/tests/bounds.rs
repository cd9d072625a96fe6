//! What costs too much is refused before it costs.

use std::time::Instant;

use serde_json::json;

use super::{SHIPPED, actions, parameters, told};
use crate::blueprint::Blueprint;
use crate::blueprint::expression::Expression;
use crate::blueprint::template::Template;

fn refused(text: &str) -> String {
    told(&Blueprint::parse("x.yaml", text).expect_err("it is refused"))
}

#[test]
fn a_yaml_bomb_is_refused_at_once() {
    let mut bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..12 {
        let before = level - 1;
        bomb += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{before}"); 9].join(", "));
    }
    let start = Instant::now();
    assert!(refused(&bomb).contains("the file is too much to read safely"), "{}", refused(&bomb));
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn deep_nesting_is_refused() {
    let deep = format!("steps: {}1{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(refused(&deep).starts_with("x.yaml:1:"), "{}", refused(&deep));
}

#[test]
fn a_huge_file_is_refused_unread() {
    let huge = format!("title: {}", "x".repeat(300 * 1024));
    assert_eq!(refused(&huge), "x.yaml:1:1: the file has 300 KiB; a blueprint may have at most 256 KiB\n");
}

#[test]
fn expressions_are_bounded_before_they_run() {
    let fault = |source: &str| Expression::parse(source).expect_err(source).message;
    assert_eq!(fault(&"1+".repeat(600)), "the expression has 1200 characters; at most 1000 are allowed");
    assert_eq!(fault(&format!("{}1{}", "(".repeat(200), ")".repeat(200))), "brackets are nested deeper than 20");
    assert_eq!(
        fault("range(9).map(a, range(9).map(b, range(9).map(c, a * b * c)))"),
        "loops are nested deeper than 2; the expression could cost too much"
    );
}

#[test]
fn an_expression_that_runs_too_long_is_stopped() {
    let fault = |source: &str| {
        Expression::parse(source).expect("it is short").evaluate(&parameters(json!({}))).expect_err(source)
    };
    assert_eq!(fault("range(5000)"), "`range` counts at most 1000, not 5000");
    assert_eq!(
        fault("range(1000).map(a, range(1000).map(b, a * b))"),
        "the expression costs too much: more than 10000 turns or items"
    );
    assert_eq!(fault("9223372036854775807 + 1"), "9223372036854775807 + 1 is too large a number");
    assert_eq!(fault("1 / 0"), "a number is divided by zero");
}

#[test]
fn there_is_no_way_out_of_an_expression() {
    for source in
        ["env('HOME')", "read('/etc/passwd')", "now()", "http.get('http://x')", "timestamp('2020-01-01T00:00:00Z')"]
    {
        let fault = Expression::parse(source).expect_err(source);
        assert!(fault.message.starts_with("there is no function `"), "{source}: {}", fault.message);
    }
}

#[test]
fn whole_and_real_numbers_meet_in_arithmetic() {
    let scope = parameters(json!({ "n": 3, "price": 25.5, "text": "a", "list": [1] }));
    let value = |source: &str| Expression::parse(source).expect(source).evaluate(&scope).expect(source);
    assert_eq!(value("n * price + 1"), json!(77.5));
    assert_eq!(value("n - 1"), json!(2));
    assert_eq!(value("text + 'b'"), json!("ab"));
    assert_eq!(value("list + [2]"), json!([1, 2]));
    assert_eq!(value("range(n)"), json!([1, 2, 3]));
    assert_eq!(value("range(n, 5)"), json!([4, 5]));
    assert_eq!(value("range(5, n)"), json!([]));
    assert_eq!(value("first([1, 2, 3], 2)"), json!([1, 2]));
    assert_eq!(value("range(n).filter(x, x > 1).map(x, x * 2)"), json!([4, 6]));
}

#[test]
fn a_whole_template_keeps_its_type_and_a_part_becomes_text() {
    let scope = parameters(json!({ "n": 3, "name": "shop" }));
    let filled = |text: &str| Template::parse(text).expect(text).fill(&scope);
    assert_eq!(filled("${n}"), Ok(json!(3)));
    assert_eq!(filled("${name}-{n}"), Ok(json!("shop-{n}")));
    assert_eq!(filled("a $${n} b"), Ok(json!("a ${n} b")));
    assert_eq!(filled("${ {'a': '}'}.a }"), Ok(json!("}")));
    assert_eq!(filled("x ${[1]}"), Err("`${[1]}` stands inside text and gives no text, number or boolean".to_owned()));
}

/// Blueprints with a character taken out, doubled or replaced, everywhere in turn.
#[test]
fn no_text_makes_the_check_panic() {
    let (_, text) = SHIPPED[3];
    let characters: Vec<char> = text.chars().collect();
    let spice: Vec<char> = "\0\"'{}[]:#&*!|>%@`${(\u{feff}ß\n\t-9".chars().collect();
    for (round, at) in (0..characters.len()).step_by(37).enumerate() {
        let mut mutated = characters.clone();
        match round % 3 {
            0 => drop(mutated.remove(at)),
            1 => mutated.insert(at, characters[(at * 7) % characters.len()]),
            _ => mutated[at] = spice[round % spice.len()],
        }
        let mutated: String = mutated.into_iter().collect();
        // Either answer will do, as long as there is one.
        let _ = Blueprint::parse_checked("mutated.yaml", &mutated, &actions());
    }
}
