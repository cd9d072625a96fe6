//! What editors are told of the format is what the check holds files to.

use serde_json::Value;

use super::{SHIPPED, actions};
use crate::action::Shape;
use crate::blueprint::mistake::Mistakes;
use crate::blueprint::{file_schema, source};

/// What an editor underlines in a file.
fn underlined(text: &str) -> Vec<String> {
    let shape = Shape::of(&file_schema(&actions())).expect("it is a JSON Schema");
    let value = source::read(text, &mut Mistakes::of("x.yaml")).map_or(Value::Null, |node| node.json());
    shape.mistakes(&value).into_iter().map(|mistake| format!("{}: {}", mistake.field, mistake.message)).collect()
}

#[test]
fn nothing_is_underlined_in_what_ships() {
    for (file, text) in SHIPPED {
        assert_eq!(underlined(text), [""; 0], "{file}");
    }
}

#[test]
fn mistakes_of_form_are_underlined() {
    let (_, good) = SHIPPED[3];
    let wrong = [
        ("title: Scale Out Tomcat", "titel: Scale Out Tomcat"),
        ("title: Scale Out Tomcat", "title: 7"),
        ("version: 1.1.0", "version: newest"),
        ("default: 90d", "default: 90 days"),
        ("type: integer", "type: int"),
        ("level: 1", "level: none"),
        ("approvers: group:application-owners", "approvers: application-owners"),
        ("do: machine.create", "do: machine.creat"),
        ("do: machine.create", "do: machine.create, undo: node"),
        ("image: debian-12", "imag: debian-12"),
        ("port: 8080", "port: http"),
        ("{ depends_on: steps.pool }", "{ depend_on: steps.pool }"),
        ("class: application_service", "class: application_servise"),
    ];
    for (piece, replacement) in wrong {
        assert!(good.contains(piece), "{piece}");
        let replacement = replacement.replace(", undo", "\n    undo");
        assert!(!underlined(&good.replacen(piece, &replacement, 1)).is_empty(), "{replacement}");
    }
}
