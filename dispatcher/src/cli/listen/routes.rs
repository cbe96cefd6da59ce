//! Which events are forwarded where.

use bluum_hooks_shared::catalogue::Pattern;

use crate::cli::failure::Failure;
use crate::cli::target::{Target, route};

#[derive(Debug, Clone)]
pub(super) struct Routes {
    routes: Vec<(Option<Pattern>, Target)>,
}

impl Routes {
    pub(super) fn parse(texts: &[String], remote: bool) -> Result<Self, Failure> {
        let routes = texts.iter().map(|text| route(text, remote)).collect::<Result<_, _>>()?;
        Ok(Self { routes })
    }

    /// For an event of this name: of the targets with a glob the first that matches, and all
    /// without one.
    pub(super) fn of(&self, name: &str) -> Vec<usize> {
        let matching = |(glob, _): &(Option<Pattern>, Target)| {
            glob.as_ref().is_some_and(|glob| glob.matches(name))
        };
        let first = self.routes.iter().position(matching);
        let bare = |index: &usize| self.routes[*index].0.is_none() || Some(*index) == first;
        (0..self.routes.len()).filter(bare).collect()
    }

    pub(super) fn targets(&self) -> impl ExactSizeIterator<Item = &Target> {
        self.routes.iter().map(|(_, target)| target)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_glob_gets_an_event_and_each_bare_target_all() {
        let texts = ["order.*=1", "2", "*=3", "4/x?a=b"].map(str::to_owned);
        let routes = Routes::parse(&texts, false).unwrap();
        assert_eq!(routes.of("order.filled"), [0, 1, 3]);
        assert_eq!(routes.of("deposit.completed"), [1, 2, 3]);
        let failure = Routes::parse(&["ordr.*=3000".into()], false).unwrap_err().to_string();
        assert!(failure.contains("did you mean 'order.*'"), "{failure}");
    }
}
