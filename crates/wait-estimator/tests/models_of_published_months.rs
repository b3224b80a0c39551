//! Models of real months: fit for use, sensible, and the same from their bytes.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail and speak as tests do")]

mod support;

use std::path::Path;

use wait_estimator::model::TreatmentFunction;
use wait_estimator::{Fitted, Level, Model, Month, Status, Successors, check, fit};

const ERAS: [[&str; 3]; 2] = [["2009-12", "2010-01", "2010-02"], ["2014-12", "2015-01", "2015-02"]];

fn plain(months: &[Month]) -> Fitted {
    fit(months, &Successors::built_in().unwrap()).unwrap()
}

/// The month of January 2026, as published.
fn modern(folder: &Path) -> Vec<Month> {
    support::read_months(&folder.join("../full-extract"), &["2026-01"])
}

#[test]
fn every_era_makes_a_model_that_passes_its_checks() {
    let Some(folder) = support::months_of_the_52_week_era() else { return };
    for names in ERAS {
        let months = support::read_months(&folder, &names);
        for count in 1..=months.len() {
            let fitted = plain(&months[..count]);
            assert_eq!(check(&fitted.model, None), [], "{:?}", &names[..count]);
            assert_eq!(Model::decode(&fitted.model.encode()).unwrap(), fitted.model);
            assert_eq!(fitted.report.pairs.len(), count - 1);
        }
        let (before, after) = (plain(&months[..2]), plain(&months));
        assert_eq!(check(&after.model, Some(&before.model)), []);
        // An older model is not taken for a newer one, nor a month without half of England.
        assert!(check(&before.model, Some(&after.model)).iter().any(|one| one.code == "older_than_active"));
        let half = months.iter().map(|month| {
            month.clone().filtered(|key| key.provider.as_str().bytes().map(u32::from).sum::<u32>() % 2 == 0)
        });
        let found = check(&plain(&half.collect::<Vec<_>>()).model, Some(&after.model));
        assert!(found.iter().any(|one| one.code == "list_changed"), "{found:?}");
        assert!(found.iter().any(|one| one.code == "providers_lost"), "{found:?}");
    }
}

#[test]
fn without_a_part_a_model_is_refused() {
    let Some(folder) = support::months_of_the_52_week_era() else { return };
    let months = support::read_months(&folder, &ERAS[1]);
    let lists_only: Vec<Month> = months
        .iter()
        .map(|month| {
            let mut lists = Month::new(month.period(), month.layout(), "lists only");
            for (key, cell) in month.cells() {
                let part = wait_estimator::model::Part::Incomplete;
                lists.add(key.provider, key.treatment_function, part, &cell.list).unwrap();
            }
            lists
        })
        .collect();
    let found = check(&plain(&lists_only).model, None);
    assert!(found.iter().any(|one| one.code == "missing_part"), "{found:?}");
}

#[test]
fn january_2026_alone_answers_and_says_that_it_is_alone() {
    let Some(folder) = support::months_of_the_52_week_era() else { return };
    let fitted = plain(&modern(&folder));
    let model = &fitted.model;
    assert_eq!(check(model, None), []);
    let law = fitted.report.littles_law;
    assert_eq!(law.list, 7_187_677);
    // The list over completions was 20.5 weeks on published totals; hazards by age come near it.
    assert!((17.0..24.0).contains(&law.weeks_on_completions), "{law:?}");
    assert!(law.weeks_on_exits < law.weeks_on_completions);

    let orthopaedics = TreatmentFunction::parse("C_110").unwrap();
    let england = model.specialty_estimator(orthopaedics).unwrap();
    let estimate = england.estimate(18.0);
    println!("{estimate:?}");
    // Measured once from completions alone with a flat removal: about 17 weeks more, 20 if nobody were removed.
    assert!((13.0..21.0).contains(&estimate.remaining.p50.weeks));
    assert!(estimate.if_you_stay.p50.weeks > estimate.remaining.p50.weeks);
    assert!(estimate.remaining.p10.weeks < 5.0 && estimate.remaining.p90.weeks > 30.0);
    assert!((0.02..0.5).contains(&estimate.other_removal_share), "{}", estimate.other_removal_share);
    let decided = england.with_decision_to_admit().unwrap().estimate(18.0);
    assert!(decided.remaining.p50.weeks > 1.0);

    for key in model.cells() {
        let basis = model.estimator(&key).unwrap().basis();
        assert_ne!(basis.status, Status::Ok, "{key}");
        assert!(basis.reasons.iter().any(|reason| reason.code() == "single_month"));
        if basis.list_size < Some(50) {
            assert_eq!(basis.status, Status::Pooled);
            assert_ne!(basis.level, Level::ProviderTfc);
        }
    }
}

#[test]
fn a_list_of_three_months_is_spoken_for_by_itself() {
    let Some(folder) = support::months_of_the_52_week_era() else { return };
    for names in ERAS {
        let fitted = plain(&support::read_months(&folder, &names));
        let (mut own, mut all) = (0_u64, 0_u64);
        for key in fitted.model.cells() {
            let basis = fitted.model.estimator(&key).unwrap().basis();
            let people = u64::from(basis.list_size.unwrap());
            all += people;
            own += if basis.status == Status::Ok { people } else { 0 };
        }
        println!("{names:?}: {own} of {all} people are on lists with status ok");
        assert!(own * 10 > all * 8);
    }
}
