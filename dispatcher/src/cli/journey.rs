//! What the demo says about the scenario `journey`: each event in words, and a partner's books.

use bluum_hooks_receiver::{Data, Decimal, Event};

/// What a partner's books say after the events it has received.
#[derive(Debug, Default)]
pub(super) struct Books {
    deposited: Decimal,
    bought: Decimal,
    withdrawn: Decimal,
}

impl Books {
    /// Enters an event. `None` if its amounts cannot be read, or are not what the books say.
    pub(super) fn enter(&mut self, event: &Event) -> Option<()> {
        match (event.name.as_str(), &event.data) {
            ("deposit.completed", Data::Deposit(deposit)) => {
                self.deposited = self.deposited.checked_add(deposit.amount?)?;
            }
            ("order.filled", Data::Order(order)) => {
                self.bought = self.bought.checked_add(order.filled_value()?)?;
            }
            ("withdrawal.completed", Data::Withdrawal(withdrawal)) => {
                self.withdrawn = self.withdrawn.checked_add(withdrawal.amount?)?;
            }
            (_, Data::Wallet(wallet)) => {
                let agrees = wallet.balance? == self.balance()? && wallet.is_balanced()?;
                return agrees.then_some(());
            }
            _ => {}
        }
        Some(())
    }

    /// The cash that is left.
    pub(super) fn balance(&self) -> Option<Decimal> {
        self.deposited.checked_sub(self.bought)?.checked_sub(self.withdrawn)
    }

    /// The sum as a line.
    pub(super) fn to_text(&self) -> String {
        let balance = self.balance().map_or_else(|| "?".to_owned(), |left| left.to_string());
        format!(
            "deposited {} - bought {} - withdrew {} = {balance} USD in the wallet",
            self.deposited, self.bought, self.withdrawn
        )
    }
}

/// What happened, in a few words.
pub(super) fn summary(event: &Event) -> String {
    let amount = |amount: Option<Decimal>| amount.map_or_else(String::new, |a| format!("{a} USD "));
    match &event.data {
        Data::Order(order) => {
            let (Some(quantity), Some(symbol)) = (order.quantity, order.symbol.as_deref()) else {
                return order.status.to_string();
            };
            match (order.filled_quantity, order.average_price) {
                (Some(filled), Some(price)) if filled != Decimal::ZERO => {
                    format!("{filled} of {quantity} {symbol} at {price}, {}", order.status)
                }
                _ => format!("{quantity} {symbol}, {}", order.status),
            }
        }
        Data::Deposit(deposit) => format!("{}{}", amount(deposit.amount), deposit.status),
        Data::Withdrawal(withdrawal) => {
            format!("{}{}", amount(withdrawal.amount), withdrawal.status)
        }
        Data::KycDecision(decision) => decision.status.to_string(),
        Data::Account(account) => account.status.to_string(),
        Data::Wallet(wallet) => {
            let (available, reserved) = (wallet.available_balance, wallet.reserved_balance);
            format!("{}available, {}reserved", amount(available), amount(reserved))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use bluum_hooks_shared::time::Timestamp;

    use super::*;
    use crate::cli::trigger::{Scenario, Story};
    use crate::random::SystemRandom;

    #[test]
    fn the_amounts_of_the_story_add_up() {
        let mut books = Books::default();
        let at = Timestamp::from_unix_seconds(1_781_533_815);
        let journey = Scenario::find("journey").unwrap();
        for draft in Story::all(&journey, at, &SystemRandom).unwrap() {
            let event = Event::parse(draft.body().as_bytes()).unwrap();
            books.enter(&event).unwrap();
            assert!(!summary(&event).is_empty(), "{}", event.name);
        }
        assert_eq!(
            books.to_text(),
            "deposited 5000.00 - bought 1785.00 - withdrew 1200.00 = 2015.00 USD in the wallet"
        );
    }
}
