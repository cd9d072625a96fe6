//! What an operator does about a run, from its page.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use app::App;
use app::idempotency::Sent;
use app::run::Mend;
use domain::run::Cancel;
use domain::trouble::{Kind, Trouble};
use serde_json::Value;

use super::run_id;
use super::show::{Typed, answer};
use crate::csrf::Form;
use crate::pages::see_other;
use crate::problem::{self, Problem};
use crate::visitor::{Visitor, flash_cookie};

/// Mends the run and goes back to it; a form that does not fit is shown again with what was typed.
pub(super) async fn mend(
    app: Data<App>,
    visitor: Visitor,
    id: Path<String>,
    form: Form<Typed>,
) -> Result<HttpResponse, Problem> {
    let (id, typed) = (run_id(&id)?, form.fields);
    let done = match wish(&typed) {
        Ok(wish) => app::run::mend(&app, &visitor.principal, id, wish, &typed.reason, &Sent::PORTAL).await,
        Err(trouble) => Err(trouble),
    };
    match done {
        Ok(()) => {
            let mut response = see_other(&format!("/runs/{id}"));
            response.add_cookie(&flash_cookie(&app, told(&typed.act))).map_err(Trouble::bug)?;
            Ok(response)
        }
        Err(trouble) if trouble.kind == Kind::Invalid => {
            let it = app::run::show(&app, &visitor.principal, id, Some(&typed.step)).await?;
            Ok(answer(problem::status(trouble.kind), &visitor, it, typed, trouble.fields))
        }
        Err(trouble) => Err(Problem(trouble)),
    }
}

/// What the form wishes.
pub(in crate::pages) fn wish(typed: &Typed) -> Result<Mend, Trouble> {
    let step = typed.step.clone();
    Ok(match typed.act.as_str() {
        "retry" => Mend::Retry { step, input: None },
        "edit" => {
            let missing =
                || Trouble::field("input", "Give the input; to try again with the one it had, use that button.");
            Mend::Retry { step, input: Some(json("input", &typed.input)?.ok_or_else(missing)?) }
        }
        "skip" => Mend::Skip { step, output: json("output", &typed.output)? },
        "resume" => Mend::Resume,
        "compensate" => Mend::Compensate,
        "cancel" => Mend::Cancel(Cancel::TakeBack),
        "stop" => Mend::Cancel(Cancel::Stop),
        _ => return Err(Trouble::field("act", "Choose what is to be done.")),
    })
}

fn json(field: &str, text: &str) -> Result<Option<Value>, Trouble> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text).map(Some).map_err(|fault| {
        let (line, column) = (fault.line(), fault.column());
        Trouble::field(field, format!("This is not JSON: something is wrong at line {line}, column {column}."))
    })
}

/// What a person is told when it was done.
pub(in crate::pages) fn told(act: &str) -> &'static str {
    match act {
        "retry" | "edit" => "The step is tried again.",
        "skip" => "The step is skipped; the run goes on.",
        "resume" => "The run goes on.",
        "compensate" => "It is being given up.",
        _ => "The run is being cancelled.",
    }
}
