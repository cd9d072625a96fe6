//! The format of a blueprint file: its tables, their keys, what each key takes and what it means.
//!
//! This is the only place that says so. [`fit`] holds a file against it, [`json_schema`] tells it to editors,
//! [`reference`] to people.

mod fit;
mod json_schema;
mod reference;
mod takes;

use super::mistake::Mistakes;
use super::source::Node;
use Presence::{Default, Needed, Optional};
pub(super) use fit::fit;
pub use json_schema::file_schema;
pub use reference::file_reference;
use takes::Takes::{self, *};
pub(super) use takes::is_name;

/// A table of the format.
pub(super) struct Section {
    /// What messages call it, "a step".
    pub(super) what: &'static str,
    /// Of these keys exactly one has to be there; may be empty.
    pub(super) either: &'static [&'static str],
    pub(super) keys: &'static [Key],
}

/// A key of a table.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    pub(super) presence: Presence,
    /// A sentence or two for authors.
    pub(super) meaning: &'static str,
}

/// What holds when a key is not there.
pub(super) enum Presence {
    Needed,
    Default(&'static str),
    Optional,
}

const fn key(name: &'static str, takes: Takes, presence: Presence, meaning: &'static str) -> Key {
    Key { name, takes, presence, meaning }
}

const fn section(what: &'static str, keys: &'static [Key]) -> Section {
    Section { what, either: &[], keys }
}

pub(super) static BLUEPRINT: Section = section(
    "a blueprint",
    &[
        key("blueprint", Name, Needed, "Its name, in addresses and on the command line."),
        key("version", Version, Needed, "A published version never changes: a changed file gets a higher one."),
        key("title", Text, Needed, "What people call it."),
        key("summary", Text, Needed, "One sentence for its card in the catalog."),
        key("category", Text, Needed, "The heading in the catalog under which it stands."),
        key("responsible", One(&RESPONSIBLE), Needed, "Who answers for what is built."),
        key("sizes", Named(&SIZE), Default("`small`, `medium` and `large`"), "How large machines may be, by name."),
        key("parameters", Named(&PARAMETER), Default("none"), "The form of an order, by name, in its order."),
        key("lease", One(&LEASE), Needed, "How long a deployment lives unless it is prolonged."),
        key("price", One(&PRICE), Needed, "What a deployment costs."),
        key("quota", One(&QUOTA), Default("nothing"), "What a deployment takes of its project's quota."),
        key("approval", Many(&APPROVAL), Default("nobody"), "Who has to approve an order, and when."),
        key("steps", Many(&STEP), Needed, "How it is built."),
        key("actions", Many(&ACTION), Default("none"), "What may be done with a deployment later."),
        key("cmdb", One(&CMDB), Optional, "What the CMDB shall know beside what the steps register."),
    ],
);

static RESPONSIBLE: Section = section(
    "`responsible`",
    &[
        key("platform", Template, Needed, "The group that answers for the platform, mostly of Ops."),
        key("application", Template, Needed, "The group that answers for the application, mostly `${request.team}`."),
    ],
);

static SIZE: Section = section(
    "a size",
    &[
        key("title", Text, Default("its name"), "What the form calls it."),
        key("cpu", Whole(1), Needed, "Virtual processors."),
        key("memory_gb", Whole(1), Needed, "Memory in GB."),
        key("disk_gb", Whole(1), Needed, "Disk in GB."),
        key("monthly", Price, Needed, "Its price in euros a month."),
    ],
);

static PARAMETER: Section = Section {
    what: "a parameter",
    either: &["type", "$ref"],
    keys: &[
        key("type", Word(&["string", "integer", "number", "boolean"]), Optional, "The kind of its value."),
        key("$ref", Word(&["#/sizes"]), Optional, "Makes it a choice among the sizes; expressions then see `size`."),
        key("title", Text, Default("its name"), "What the form calls it."),
        key("description", Text, Optional, "One sentence below the field; also said when the pattern does not match."),
        key(
            "default",
            Value,
            Optional,
            "What the form begins with; text with `${…}` may use `request` and `deployment`.",
        ),
        key("enum", Values, Optional, "The values to choose from."),
        key("labels", Labels, Default("the values"), "What the choice calls its values, by value."),
        key("minimum", Number, Optional, "The least number."),
        key("maximum", Number, Optional, "The greatest number."),
        key("multipleOf", Number, Optional, "The number is a multiple of it."),
        key("minLength", Whole(0), Optional, "The fewest characters of a text."),
        key("maxLength", Whole(1), Default("2000"), "The most characters of a text."),
        key(
            "pattern",
            Text,
            Optional,
            "A regular expression that the text matches; without look-around, so that it is quick.",
        ),
        key(
            "required",
            Boolean,
            Default("true"),
            "Whether it has to be given; if not, it may be `null` in expressions.",
        ),
        key("group", Text, Optional, "The heading of the form under which it stands."),
        key("unit", Text, Optional, "What stands behind the field, `GB`."),
    ],
};

/// A form in the input of an action.
static FORM: Key = key("form", Named(&PARAMETER), Needed, "");

/// Holds a form in the input of an action against the format of parameters.
pub(super) fn fit_form(node: &Node, mistakes: &mut Mistakes<'_>) -> Node {
    fit::value(node, &FORM, mistakes)
}

static LEASE: Section = section(
    "`lease`",
    &[
        key("default", Period, Default("90d"), "What the form begins with."),
        key("max", Period, Default("`default`"), "The longest lease that may be ordered."),
        key("grace", Period, Default("7d"), "Between the end of the lease and the removal."),
    ],
);

static PRICE: Section = section("`price`", &[key("monthly", Expression("a number"), Needed, "Euros a month.")]);

static QUOTA: Section = section(
    "`quota`",
    &[
        key("machines", Expression("an integer"), Optional, "Machines."),
        key("cpu", Expression("an integer"), Optional, "Processors."),
        key("memory_gb", Expression("an integer"), Optional, "Memory in GB."),
        key("disk_gb", Expression("an integer"), Optional, "Disk in GB."),
        key("containers", Expression("an integer"), Optional, "Containers."),
    ],
);

static APPROVAL: Section = section(
    "an approval",
    &[
        key(
            "level",
            Whole(1),
            Needed,
            "A level opens when the one below is done; policies of one level are one question.",
        ),
        key("when", Expression("a boolean"), Default("always"), "Whether these approvers are asked; may use `price`."),
        key("approvers", Approvers, Needed, "Who may decide: one, or a list."),
        key("quorum", Quorum, Default("any"), "How many of them have to say yes."),
        key("within", Period, Default("2d"), "How long they have."),
        key(
            "on_timeout",
            Word(&["escalate", "reject"]),
            Default("escalate"),
            "What happens when nobody decides in time.",
        ),
        key(
            "confirm",
            Word(&["link", "sign_in"]),
            Default("link"),
            "What a decision takes: the mail's link, or to sign in.",
        ),
        key("because", Text, Optional, "The reason, shown to requester and approver."),
    ],
);

static STEP: Section = Section {
    what: "a step",
    either: &["do", "undo"],
    keys: &[
        key("id", Id, Needed, "Its name in expressions and in `needs`."),
        key("do", Action, Optional, "The action it calls."),
        key("undo", Text, Optional, "The step of the deployment that it undoes; in day-2 actions only."),
        key(
            "needs",
            Names,
            Default("what it reads"),
            "Steps that have to be done before, beside those whose outputs it reads.",
        ),
        key("when", Expression("a boolean"), Default("always"), "Whether it runs."),
        key(
            "for_each",
            Expression("a list"),
            Optional,
            "One instance for each item of a list, or of another step: `steps.node`.",
        ),
        key(
            "in_turn",
            Id,
            Optional,
            "Of a fan-out: each instance waits until this step is done for the one before; its own id for itself.",
        ),
        key("with", Input, Default("nothing"), "The action's input; any text in it may hold `${…}`."),
        key("title", Template, Default("the action's title"), "What the run's page calls it."),
        key("retry", One(&RETRY), Optional, "How a transient error is retried."),
    ],
};

static RETRY: Section = section(
    "`retry`",
    &[
        key("attempts", Whole(1), Default("5"), "How often it is tried."),
        key("wait", Period, Default("2s"), "Before the second attempt; doubled each time."),
        key("at_most", Period, Default("5m"), "The longest wait."),
    ],
);

static ACTION: Section = section(
    "an action",
    &[
        key("action", Name, Needed, "Its name, in addresses and on the command line."),
        key("title", Text, Needed, "What people call it."),
        key("summary", Text, Optional, "One sentence for its page."),
        key("parameters", Named(&PARAMETER), Default("none"), "Its form."),
        key("sets", Expressions, Default("nothing"), "What parameters of the deployment become, by name."),
        key("approval", Many(&APPROVAL), Default("nobody"), "Who has to approve it, and when."),
        key("steps", Many(&STEP), Needed, "What it does."),
    ],
);

static CMDB: Section = section(
    "`cmdb`",
    &[key(
        "application",
        One(&APPLICATION),
        Needed,
        "The CI that stands for the deployment as a whole; registered by a step `application`.",
    )],
);

static APPLICATION: Section = section(
    "`application`",
    &[
        key("class", Word(&CI_CLASSES), Needed, "Its CI class."),
        key("name", Template, Needed, "Its name."),
        key("needs", Names, Default("its relations"), "Steps after which it is registered."),
        key(
            "relations",
            Relations,
            Default("none"),
            "How it stands to the CIs of steps: `{ depends_on: steps.pool }`.",
        ),
    ],
);

/// Every table, with the heading that the reference gives it.
static SECTIONS: [(&str, &Section); 13] = [
    ("The file", &BLUEPRINT),
    ("`responsible`", &RESPONSIBLE),
    ("An entry of `sizes`", &SIZE),
    ("An entry of `parameters`", &PARAMETER),
    ("`lease`", &LEASE),
    ("`price`", &PRICE),
    ("`quota`", &QUOTA),
    ("An item of `approval`", &APPROVAL),
    ("An item of `steps`", &STEP),
    ("`retry` of a step", &RETRY),
    ("An item of `actions`", &ACTION),
    ("`cmdb`", &CMDB),
    ("`application` of `cmdb`", &APPLICATION),
];

const CI_CLASSES: [&str; 13] = [
    "business_application",
    "application_service",
    "server",
    "virtual_machine",
    "load_balancer_service",
    "pool_member",
    "application_server",
    "database",
    "container_engine",
    "container_space",
    "workload",
    "image",
    "cluster",
];
pub(super) const RELATIONS: [&str; 6] = ["runs_on", "hosted_on", "depends_on", "contains", "instantiates", "member_of"];
