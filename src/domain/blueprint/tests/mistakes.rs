//! Every mistake at its place, with what was found, what was expected and the nearest name.

use super::{actions, told};
use crate::blueprint::Blueprint;

const GOOD: &str = r##"blueprint: one
version: 1.0.0
title: One
summary: One machine.
category: machines
responsible: { platform: ops, application: "${request.team}" }
parameters:
  name: { type: string, default: shop }
  nodes: { type: integer, minimum: 1, maximum: 4, default: 2 }
  size: { $ref: "#/sizes", default: small }
lease: { default: 90d }
price: { monthly: "params.nodes * size.monthly" }
quota: { machines: params.nodes }
approval:
  - { level: 1, when: "price.monthly > 5.0", approvers: "group:owners" }
steps:
  - { id: name, do: naming.reserve, for_each: "range(params.nodes)", with: { pattern: "${params.name}-{n}" } }
  - { id: node, do: machine.create, for_each: steps.name, with: { name: "${each.name}", size: "${size}", image: debian-12 } }
  - { id: pool, do: balancer.pool, with: { name: "${params.name}", members: "${steps.node}", port: 80, check: GET / } }
"##;

/// What is told when one piece of a good blueprint is replaced.
fn told_of(piece: &str, replacement: &str) -> String {
    assert!(GOOD.contains(piece), "the good blueprint has no {piece}");
    match Blueprint::parse_checked("one.yaml", &GOOD.replacen(piece, replacement, 1), &actions()) {
        Ok(_) => String::new(),
        Err(mistakes) => told(&mistakes),
    }
}

#[test]
fn a_good_blueprint_has_no_mistake() {
    assert_eq!(told_of("title: One", "title: One"), "");
}

#[test]
fn mistakes_of_form_are_told_at_their_place() {
    let cases = [
        ("title: One", "titel: One", "one.yaml:3:1: a blueprint has no key `titel`\n    did you mean `title`?\n"),
        (
            "version: 1.0.0",
            "version: 1.0",
            "one.yaml:2:10: `version` takes three numbers, such as 1.2.0, and `1.0` was found\n",
        ),
        (
            "blueprint: one",
            "blueprint: One Two",
            "one.yaml:1:12: `blueprint` takes a name: lower-case letters, digits, `-` and `_`, a letter first, and `One Two` was found\n",
        ),
        (
            "default: 90d",
            "default: 90x",
            "one.yaml:11:19: `default` takes a length of time, such as 90d, 12h or 5m, and `90x` was found\n",
        ),
        ("level: 1", "level: none", "one.yaml:15:14: `level` takes an integer of at least 1, and `none` was found\n"),
        (
            "group:owners",
            "owners",
            "one.yaml:15:58: `approvers` takes `group:name`, `person:mail` or `manager`, and `owners` was found\n    did you mean `group:owners`?\n",
        ),
        (
            "default: 2",
            "default: 9",
            "one.yaml:9:60: the default does not fit its own parameter: at most 4 is expected, and 9 was found\n",
        ),
        (
            "type: integer",
            "type: int",
            "one.yaml:9:18: `type` takes `string` or `integer` or `number` or `boolean`, and `int` was found\n    did you mean `integer`?\n",
        ),
        (
            "quota: { machines",
            "quota: { machine",
            "one.yaml:13:10: `quota` has no key `machine`\n    did you mean `machines`?\n",
        ),
        (
            "port: 80",
            "port: 80, port: 81",
            "one.yaml:19:104: the key `port` stands here a second time; the first is in line 19\n",
        ),
        ("do: naming.reserve, ", "", "one.yaml:17:5: a step needs `do` or `undo`\n"),
        (
            "#/sizes",
            "#/size",
            "one.yaml:10:18: `$ref` takes `#/sizes`, and `#/size` was found\n    did you mean `#/sizes`?\n",
        ),
    ];
    for (piece, replacement, expected) in cases {
        assert_eq!(told_of(piece, replacement), expected, "{replacement}");
    }
}

#[test]
fn a_price_is_a_number_that_can_be_counted_with() {
    for odd in [".inf", "-.inf", ".nan", "1e999"] {
        let price = told_of("\"params.nodes * size.monthly\"", odd);
        assert!(price.starts_with("one.yaml:12:19: ") && price.contains("write a finite number"), "{odd}: {price}");
    }
    let sizes = |monthly: &str| {
        let size = format!("cpu: 1, memory_gb: 1, disk_gb: 1, monthly: {monthly}");
        told_of("lease: {", &format!("sizes: {{ small: {{ {size} }} }}\nlease: {{"))
    };
    assert_eq!(sizes("25.0"), "");
    assert!(sizes(".inf").contains("write a finite number"), "{}", sizes(".inf"));
    assert!(sizes("1e20").contains("`monthly` takes a price in euros"), "{}", sizes("1e20"));
}

#[test]
fn names_in_expressions_are_told_with_the_nearest_one() {
    let cases = [
        (
            "params.nodes * size",
            "params.nods * size",
            "one.yaml:12:27: there is no parameter `nods`\n    did you mean `nodes`?\n",
        ),
        ("size.monthly", "size.montly", "one.yaml:12:40: `size` has no `montly`\n    did you mean `monthly`?\n"),
        (
            "params.nodes * size",
            "parms.nodes * size",
            "one.yaml:12:20: there is no `parms` here\n    did you mean `params`?\n",
        ),
        ("${request.team}", "${request.tem}", "one.yaml:6:55: `request` has no `tem`\n    did you mean `team`?\n"),
        ("${steps.node}", "${steps.nod}", "one.yaml:19:86: there is no step `nod`\n    did you mean `node`?\n"),
        (
            "for_each: steps.name",
            "for_each: steps.nam",
            "one.yaml:18:53: there is no step `nam`\n    did you mean `name`?\n",
        ),
        ("${each.name}", "${each.nam}", "one.yaml:18:81: `each` has no `nam`\n    did you mean `name`?\n"),
        (
            "range(params.nodes)",
            "rang(params.nodes)",
            "one.yaml:17:48: there is no function `rang`\n    did you mean `range`?\n",
        ),
        ("price.monthly > 5.0", "price.monthly >", ""),
    ];
    for (piece, replacement, expected) in cases {
        let told = told_of(piece, replacement);
        if expected.is_empty() {
            assert!(told.contains("is not an expression"), "{told}");
        } else {
            assert_eq!(told, expected, "{replacement}");
        }
    }
}

#[test]
fn inputs_of_actions_are_checked() {
    let cases = [
        (
            "machine.create",
            "machine.creat",
            "one.yaml:18:21: there is no action `machine.creat`\n    did you mean `machine.create`?\n",
        ),
        (", image: debian-12", "", "one.yaml:18:21: machine.create needs `image`\n"),
        (
            "image: debian-12",
            "imag: debian-12",
            "one.yaml:18:106: machine.create takes no `imag`\n    did you mean `image`?\n",
        ),
        (
            "port: 80",
            "port: http",
            "one.yaml:19:100: `port` of balancer.pool: an integer is expected, and the text `http` was found\n",
        ),
        (
            "port: 80",
            "port: 70000",
            "one.yaml:19:100: `port` of balancer.pool: at most 65535 is expected, and 70000 was found\n",
        ),
        (
            "\"${size}\"",
            "\"${params.size}\"",
            "one.yaml:18:96: `size` of machine.create is a table, and `${params.size}` is text\n",
        ),
        (
            "${steps.node}",
            "${steps.node[0].name}",
            "one.yaml:19:78: `members` of balancer.pool is a list, and `${steps.node[0].name}` is text\n",
        ),
        (
            "${params.name}\", members",
            "${steps.node.name}\", members",
            "one.yaml:19:64: `steps.node` is a list and has no `name`\n    of each item: `steps.node.map(x, x.name)`\n",
        ),
        (
            "${params.name}\", members",
            "${steps.node[0].fqnd}\", members",
            "one.yaml:19:67: there is no `fqnd` in it\n    did you mean `fqdn`?\n",
        ),
    ];
    for (piece, replacement, expected) in cases {
        assert_eq!(told_of(piece, replacement), expected, "{replacement}");
    }
}

#[test]
fn the_graph_is_checked() {
    let cases = [
        (
            "id: pool",
            "id: pool, needs: [nod]",
            "one.yaml:19:25: `pool` needs `nod`, and there is no such step\n    did you mean `node`?\n",
        ),
        ("id: pool", "id: pool, needs: [pool]", "one.yaml:19:25: the step `pool` needs itself\n"),
        ("id: pool", "id: node", "one.yaml:19:11: there is a step `node` already\none.yaml:18:11: these steps wait\n"),
        (
            "id: name, do",
            "id: name, needs: [pool], do",
            "one.yaml:17:11: these steps wait for each other: name -> pool -> node -> name\n",
        ),
        (
            "range(params.nodes)",
            "steps.node.map(x, x.name)",
            "one.yaml:17:48: `steps.node.map(x, x.name)` is known only while the run goes on; a fan-out has to be planned before\n    fan out over the order (`range(params.n)`) or over a whole step (`steps.node`)\n",
        ),
        (
            ", for_each: \"range(params.nodes)\"",
            "",
            "one.yaml:18:47: the step `name` is not fanned out, so there is no each of it\n",
        ),
        (
            "do: balancer.pool",
            "undo: node",
            "one.yaml:19:23: `undo` is for actions on a deployment; an order has nothing to undo\n",
        ),
    ];
    for (piece, replacement, expected) in cases {
        let told = told_of(piece, replacement);
        let first = expected.lines().next().unwrap_or_default();
        assert!(told.contains(first), "{replacement}\nexpected {first}\ntold {told}");
    }
}

#[test]
fn a_turn_is_of_a_fan_out_and_ends_with_a_step_of_the_same_instance() {
    let by_name = |turn: &str| told_of("do: naming.reserve, ", &format!("do: naming.reserve, in_turn: {turn}, "));
    assert_eq!(by_name("node"), "", "each machine before the next name");
    assert_eq!(by_name("name"), "", "one name after another");
    assert!(by_name("nod").starts_with("one.yaml:17:46: `name` waits for `nod`, and there is no such step"));
    assert_eq!(by_name("pool"), "one.yaml:17:46: `pool` is not fanned out over `name`, so it ends nobody's turn\n");
    let alone = told_of("do: balancer.pool, ", "do: balancer.pool, in_turn: pool, ");
    assert_eq!(alone, "one.yaml:19:45: `pool` is not fanned out, so there is nobody before it\n");
}

#[test]
fn what_has_no_value_over_the_defaults_is_told() {
    let cases = [
        (
            "\"params.nodes * size.monthly\"",
            "params.name",
            "one.yaml:12:19: a number is expected, and `params.name` is text\n",
        ),
        (
            "\"params.nodes * size.monthly\"",
            "1 / 0",
            "one.yaml:12:19: `1 / 0` has no value over the defaults: a number is divided by zero\n",
        ),
        (
            "machines: params.nodes",
            "machines: size.monthly",
            "one.yaml:13:20: an integer is expected, and `size.monthly` is a number\n",
        ),
        (
            "price.monthly > 5.0",
            "price.monthly",
            "one.yaml:15:24: a boolean is expected, and `price.monthly` is a number\n",
        ),
        ("level: 1", "level: 2", "one.yaml:15:14: level 2 waits for level 1, which no approval has\n"),
    ];
    for (piece, replacement, expected) in cases {
        assert_eq!(told_of(piece, replacement), expected, "{replacement}");
    }
}

#[test]
fn all_mistakes_are_told_and_not_just_the_first() {
    let wrong =
        GOOD.replace("size.monthly", "size.montly").replace("${each.name}", "${each.nam}").replace("GET /", "[1]");
    let found = Blueprint::parse_checked("one.yaml", &wrong, &actions()).expect_err("three things are wrong");
    assert_eq!(found.len(), 3, "{}", told(&found));
}
