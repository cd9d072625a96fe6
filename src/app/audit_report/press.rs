//! Compiles one report of the present at a time. It reads the whole population, so that many who ask at once would keep
//! each other from ever getting it; whoever waited shares a report that was begun after he asked.

use std::sync::Arc;

use domain::person::Scope;
use domain::trouble::Trouble;
use tokio::sync::Mutex;

use super::{AuditReport, of_scope};
use crate::App;

/// Holds the last report, for those who waited for it.
#[derive(Clone, Default)]
pub struct Press(Arc<Mutex<Option<Printed>>>);

struct Printed {
    scope: Scope,
    report: Arc<AuditReport>,
}

impl Press {
    /// The report of a scope as of a moment after this call.
    pub(super) async fn print(&self, app: &App, scope: Scope) -> Result<Arc<AuditReport>, Trouble> {
        let asked = app.clock.now();
        let mut last = self.0.lock().await;
        if let Some(printed) = last.as_ref().filter(|it| it.scope == scope && it.report.figures.as_of > asked) {
            return Ok(Arc::clone(&printed.report));
        }
        let report = Arc::new(of_scope(app, scope.clone(), None, None).await?);
        *last = Some(Printed { scope, report: Arc::clone(&report) });
        Ok(report)
    }
}
