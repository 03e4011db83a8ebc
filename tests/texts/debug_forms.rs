//! `Debug` forms and names.

use idgroup::{Destination, Destinations, ExternalId, Membership, decide, explain};
use serde_json::json;

use crate::sample::{Messages, destinations, email, read, triggers, update, with, with_trigger};

#[test]
fn debug_forms_show_all_but_ids() {
    let mut forms = Messages::default();
    let id: ExternalId = serde_json::from_value(email()).unwrap();
    forms.add("external ID", format!("{id:?}"));
    for trigger in triggers() {
        forms.add(&trigger["reason"], format!("{:?}", read(&with_trigger(&trigger)).trigger()));
    }
    let update = read(&update());
    let destinations = destinations();
    forms.add("update", format!("{update:?}"));
    forms.add("event", format!("{:?}", decide(&update, &destinations)));
    let empty = read(&with("/external_ids", json!([])));
    let one = Destinations::new([Destination::new("dst_1").unwrap()]).unwrap();
    let explanation = explain(&empty, &one);
    forms.add("explanation", format!("{explanation:?}"));
    forms.add("verdict", format!("{:?}", explain(&update, &destinations).of("dst_3").unwrap().verdict()));
    insta::assert_snapshot!(forms.0);
}

#[test]
fn labels_have_names_and_meanings() {
    let mut labels = Messages::default();
    for reason in idgroup::DropReason::ALL {
        labels.add(format!("{reason:>24}"), reason.meaning());
    }
    for reason in idgroup::TriggerReason::ALL {
        labels.add(format!("{reason:>24}"), reason.as_str());
    }
    labels.add(format!("{:>8}", Membership::In), Membership::Out);
    labels.add(format!("{:>8}", idgroup::Collection::Users), idgroup::Collection::Accounts);
    labels.add(format!("{:>8}", idgroup::Verdict::SendAll), idgroup::Verdict::SendSome);
    labels.add("drop", idgroup::Verdict::Drop(idgroup::DropReason::Exited));
    for destination in destinations().as_slice() {
        labels.add(destination.id(), destination);
    }
    insta::assert_snapshot!(labels.0);
}
