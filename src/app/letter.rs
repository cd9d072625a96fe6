//! What Gatehouse writes to people: each mail as plain text and as HTML, from the same words.

use askama::Template;
use domain::blueprint::plan::Plan;
use domain::ids::RequestId;
use domain::mail::{Asks, Letter};
use domain::person::Person;
use domain::project::Project;
use domain::request::{Request, number};
use domain::trouble::Trouble;

use crate::quota::QuotaAfter;

/// A mail before it is written out.
pub(crate) struct Message<'m> {
    pub to: &'m Person,
    /// Which sort of mail it is, `approval_asked`.
    pub kind: &'static str,
    /// The subject, and the headline inside.
    pub headline: String,
    pub lines: Vec<String>,
    pub facts: Vec<Fact>,
    /// What can be done, as buttons.
    pub ways: Vec<Way>,
    /// What stands small at the end.
    pub fine: Vec<String>,
    pub request: Option<RequestId>,
    pub asks: Option<Asks>,
    /// The same reason is told to the same person once.
    pub reason: String,
}

/// A line of the table of facts.
pub(crate) struct Fact {
    pub label: String,
    pub value: String,
    /// What has to be seen at a glance: the money.
    pub large: bool,
}

/// Something to click.
pub(crate) struct Way {
    pub label: String,
    pub url: String,
}

#[derive(Template)]
#[template(path = "mail/letter.txt", escape = "none")]
struct Text<'m> {
    headline: &'m str,
    lines: &'m [String],
    facts: &'m [Fact],
    ways: &'m [Way],
    fine: &'m [String],
    base_url: &'m str,
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Html<'m> {
    headline: &'m str,
    lines: &'m [String],
    facts: &'m [Fact],
    ways: &'m [Way],
    fine: &'m [String],
}

impl Message<'_> {
    /// Writes the mail out. Line breaks are taken out of what people typed, so that nothing typed looks like a line
    /// of ours.
    pub(crate) fn write(self, base_url: &str) -> Result<Letter, Trouble> {
        let headline = one_line(&self.headline);
        let lines: Vec<String> = self.lines.iter().map(|line| one_line(line)).collect();
        let facts: Vec<Fact> = self
            .facts
            .iter()
            .map(|it| Fact { label: one_line(&it.label), value: one_line(&it.value), ..*it })
            .collect();
        let (ways, fine) = (&self.ways[..], &self.fine[..]);
        let (lines, facts) = (&lines[..], &facts[..]);
        let text = Text { headline: &headline, lines, facts, ways, fine, base_url }.render().map_err(Trouble::bug)?;
        let html = Html { headline: &headline, lines, facts, ways, fine }.render().map_err(Trouble::bug)?;
        Ok(Letter {
            to_name: self.to.name.clone(),
            to_email: self.to.email.clone(),
            kind: self.kind,
            subject: headline,
            text,
            html,
            request: self.request,
            asks: self.asks,
            reason: self.reason,
        })
    }
}

/// Text on one line, without control characters and with an end.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 2_000;
    let plain = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    plain.take(LONGEST).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a request is about, as a table of facts.
pub(crate) fn facts(request: &Request, requester: &Person, project: &Project) -> Vec<Fact> {
    let mut facts = who_asks(request, requester, project);
    facts.extend(request.plan.iter().flat_map(plan_facts));
    facts
}

/// What somebody who decides has to know beside the plan itself.
pub(crate) struct Weighed {
    /// Why the rules ask him.
    pub why: Vec<String>,
    /// The parameters in words: title and value.
    pub chosen: Vec<(String, String)>,
    pub quota: Vec<QuotaAfter>,
}

/// What is to be decided, as a table of facts: all that the page of the question says.
pub(crate) fn facts_to_decide(
    request: &Request,
    requester: &Person,
    project: &Project,
    plan: &Plan,
    weighed: Weighed,
) -> Vec<Fact> {
    let mut facts = who_asks(request, requester, project);
    if !weighed.why.is_empty() {
        facts.push(fact("Why you are asked", weighed.why.join(" ")));
    }
    facts.extend(weighed.chosen.into_iter().map(|(title, value)| fact(title, value)));
    facts.extend(plan_facts(plan));
    if !weighed.quota.is_empty() {
        let lines: Vec<String> = weighed.quota.iter().map(quota_line).collect();
        facts.push(fact("Quota after", lines.join("; ")));
    }
    facts.push(fact("Steps", steps(plan).join("; ")));
    facts
}

fn quota_line(line: &QuotaAfter) -> String {
    match line.limit {
        Some(limit) => format!("{} {} of {limit}", line.title, line.after),
        None => format!("{} {}, no limit", line.title, line.after),
    }
}

/// What will be done, by title; what is done several times is named once.
fn steps(plan: &Plan) -> Vec<String> {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for step in plan.steps.iter().filter(|step| step.skip.is_none()) {
        match counted.iter_mut().find(|(title, _)| *title == step.title) {
            Some((_, times)) => *times += 1,
            None => counted.push((&step.title, 1)),
        }
    }
    let said = |(title, times): (&str, usize)| match times {
        1 => title.to_owned(),
        _ => format!("{title} ({times} times)"),
    };
    counted.into_iter().map(said).collect()
}

fn fact(label: impl Into<String>, value: String) -> Fact {
    Fact { label: label.into(), value, large: false }
}

fn who_asks(request: &Request, requester: &Person, project: &Project) -> Vec<Fact> {
    let mut facts = vec![
        fact("Request", format!("{}: {}", number(request.number), request.title)),
        fact("For", format!("{} ({})", project.title, project.organisation_name)),
        fact("Asked by", format!("{} <{}>", requester.name, requester.email)),
    ];
    if !request.reason.is_empty() {
        facts.push(fact("Why", request.reason.clone()));
    }
    facts
}

fn plan_facts(plan: &Plan) -> Vec<Fact> {
    let mut facts = vec![
        Fact { large: true, ..fact("Per month", plan.monthly.to_string()) },
        fact("In total", format!("{} over {}", plan.total, plan.lease)),
    ];
    if plan.action.is_some() {
        facts[0].value = format!("{} (now {})", plan.monthly, plan.monthly_before);
    }
    if !plan.names.is_empty() {
        facts.push(fact("Names", plan.names.join(", ")));
    }
    for (label, sign) in [("Takes", 1), ("Gives back", -1)] {
        let changes = plan.quota.iter().map(|line| ((line.amount - line.before) * sign, line));
        let amounts: Vec<String> =
            changes.filter(|(change, _)| *change > 0).map(|(change, line)| amount(change, &line.title)).collect();
        if !amounts.is_empty() {
            facts.push(fact(label, amounts.join(", ")));
        }
    }
    let duties = &plan.responsible;
    facts.push(fact("Answers for it", format!("platform {}, application {}", duties.platform, duties.application)));
    facts
}

/// So much of a kind of quota: `2 machines`, `8 GB memory`.
fn amount(number: i64, title: &str) -> String {
    let title = title
        .split_once(" in ")
        .map_or_else(|| title.to_lowercase(), |(thing, unit)| format!("{unit} {}", thing.to_lowercase()));
    let one = title.strip_suffix('s').filter(|_| number == 1);
    format!("{number} {}", one.unwrap_or(&title))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn person() -> Person {
        Person {
            id: uuid::Uuid::nil().into(),
            email: "adam@example.org".into(),
            name: "Adam".into(),
            active: true,
            manager: None,
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    fn written(headline: &str, line: &str) -> Letter {
        let to = person();
        let message = Message {
            to: &to,
            kind: "approval_asked",
            headline: headline.to_owned(),
            lines: vec![line.to_owned()],
            facts: vec![fact("Why", line.to_owned()), fact(line, "2".to_owned())],
            ways: vec![Way { label: "Look and decide".into(), url: "https://gate/decide/abc".into() }],
            fine: Vec::new(),
            request: None,
            asks: None,
            reason: "test".into(),
        };
        message.write("https://gate").expect("a letter")
    }

    #[test]
    fn amounts_read_as_people_say_them() {
        assert_eq!(amount(2, "Machines"), "2 machines");
        assert_eq!(amount(1, "Machines"), "1 machine");
        assert_eq!(amount(8, "Memory in GB"), "8 GB memory");
    }

    #[test]
    fn what_a_requester_types_can_forge_neither_a_button_nor_a_header() {
        let letter = written(
            "Order\r\nBcc: everybody@example.org",
            "<a href=\"https://evil\">Approve</a>\n\nApprove here:\nhttps://evil",
        );
        assert_eq!(letter.subject, "Order Bcc: everybody@example.org");
        assert!(!letter.html.contains("<a href=\"https://evil\""), "{}", letter.html);
        assert!(!letter.text.contains("\nhttps://evil"), "{}", letter.text);
        assert!(letter.text.contains("https://gate/decide/abc") && letter.html.contains("https://gate/decide/abc"));
    }
}
