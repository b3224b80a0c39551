//! Lists that anybody may look up and compare, and estimates for the wait that was typed in.

use platform::{ErrorKind, Fault};

use super::World;

#[tokio::test]
async fn a_list_can_be_looked_up_by_anybody() {
    let world = World::new().await;
    let (_, html) = world.page("/waiting-times/look-up?name=ox&specialty=C_110", None).await;
    assert!(html.contains("This service has not been given any published waiting times yet"));

    world.import_month().await;
    let (page, _) = world.page("/waiting-times/look-up", None).await;
    assert_eq!(page.all("option").count(), 1 + 3);
    let (page, html) = world.page("/waiting-times/look-up?name=ox&specialty=C_110", None).await;
    let href = "/waiting-times/look-up?provider=RTH&#38;specialty=C_110&#38;name=ox";
    assert!(page.links_to(href), "{html}");
    assert!(html.contains("Oxbridge Clinic"));

    let (page, html) = world.page(&href.replace("&#38;", "&"), None).await;
    assert!(html.contains("1,234") && html.contains("made up, for a demonstration"));
    assert!(page.title().starts_with("Trauma and Orthopaedic Service, Oxford University Hospitals"));
    let chosen: Vec<_> = page.all("option").filter(|it| it.get("selected").is_some()).collect();
    assert_eq!(chosen.len(), 1);
    assert_eq!(chosen[0].get("value"), Some("C_110"));
}

#[tokio::test]
async fn a_list_without_figures_says_why() {
    let world = World::new().await;
    world.import_month().await;
    for (provider, specialty, why) in [
        ("RTH", "C_120", "Fewer than 50 people are on this list."),
        ("RTH", "X03", "do not describe waits for mental health care"),
        ("NT4", "C_120", "have no list for this provider"),
        ("ZZ9", "C_110", "have no list for this provider"),
    ] {
        let path = format!("/waiting-times/look-up?provider={provider}&specialty={specialty}");
        let (_, html) = world.page(&path, None).await;
        assert!(html.contains(why), "{path}");
        assert!(!html.contains("Have waited 18 weeks or less"), "{path}");
    }
}

#[tokio::test]
async fn what_is_missing_from_a_question_is_said_at_its_field() {
    let world = World::new().await;
    world.import_month().await;
    let long = "a".repeat(101);
    for (query, fields) in [
        ("name=&specialty=", vec!["#name", "#specialty"]),
        ("name=ox&specialty=", vec!["#specialty"]),
        ("name=&specialty=C_110", vec!["#name"]),
        ("name=%20&specialty=C_110", vec!["#name"]),
        (format!("name={long}&specialty=C_110").as_str(), vec!["#name"]),
        ("provider=RTH", vec!["#specialty"]),
    ] {
        let (page, _) = world.page(&format!("/waiting-times/look-up?{query}"), None).await;
        assert_eq!(page.title(), "Error: Look up a waiting list - Front Door", "{query}");
        let named: Vec<_> = page
            .all("a")
            .filter_map(|link| link.get("href"))
            .filter(|href| href.starts_with('#') && *href != "#main")
            .collect();
        assert_eq!(named, fields, "{query}");
    }
}

#[tokio::test]
async fn a_question_nobody_can_have_asked_is_a_fault() {
    let world = World::new().await;
    world.import_month().await;
    for (query, kind) in [
        ("provider=R%20H&specialty=C_110", ErrorKind::ParameterInvalid),
        ("name=ox&specialty=C_999", ErrorKind::ParameterInvalid),
        ("name=ox&specialty=%3Cscript%3E", ErrorKind::ParameterInvalid),
        ("name=ox&name=ox&specialty=C_110", ErrorKind::ParameterInvalid),
        ("name=ox&specialty=C_110&after=nowhere", ErrorKind::CursorInvalid),
    ] {
        let response = world.get(&format!("/waiting-times/look-up?{query}"), None).await;
        assert_eq!(response.status().as_u16(), kind.status(), "{query}");
        assert_eq!(response.extensions().get::<Fault>().map(|fault| fault.kind), Some(kind), "{query}");
    }
}

const LIST: &str = "/waiting-times/look-up?provider=RTH&specialty=C_110";

#[tokio::test]
async fn a_list_answers_for_the_wait_that_was_typed_in() {
    let world = World::new().await;
    world.import_month().await;
    let (page, html) = world.page(LIST, None).await;
    assert_eq!(page.fields_of("/waiting-times/look-up")["weeks"], "");
    assert!(html.contains("How much longer, by the wait so far"));
    // 2 February is 3 weeks before the day of the test, and 130 weeks is beyond every band.
    for (query, text) in [
        ("&weeks=3", "who have waited 3 weeks"),
        ("&day=2&month=2&year=2026", "who have waited 3 weeks"),
        ("&weeks=130", "This is a wait of over two years."),
        ("&weeks=30", "This wait is longer. You can ask"),
    ] {
        let (page, html) = world.page(&format!("{LIST}{query}"), None).await;
        assert!(html.contains(text), "{query}: {html}");
        assert!(
            html.contains("If you are getting worse") && html.contains("This is not a booking."),
            "{query}"
        );
        assert!(
            page.all("a")
                .any(|it| it.get("href").is_some_and(|to| to.starts_with("/waiting-times/compare?")))
        );
    }
    for (query, field) in [
        ("&weeks=many", "#weeks"),
        ("&weeks=3&day=2", "#weeks"),
        ("&day=31&month=2&year=2026", "#date"),
        ("&day=24&month=2&year=2026", "#date"),
    ] {
        let (page, _) = world.page(&format!("{LIST}{query}"), None).await;
        assert!(page.title().starts_with("Error: ") && page.links_to(field), "{query}");
        assert!(page.elements.iter().any(|it| it.get("aria-invalid") == Some("true")), "{query}");
    }
}

#[tokio::test]
async fn hospitals_are_compared_in_the_order_of_their_names() {
    let world = World::new().await;
    let (_, html) = world.page("/waiting-times/compare?specialty=C_110&weeks=20", None).await;
    assert!(html.contains("so there is nothing to compare"));
    world.import_month().await;
    let (page, html) = world.page("/waiting-times/compare?specialty=C_110&weeks=20", None).await;
    let named: Vec<_> =
        page.all("label").filter(|it| it.get("for").is_some_and(|id| id.starts_with("provider-"))).collect();
    let names: Vec<_> = named.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(names, ["Oxbridge Clinic", "Oxford University Hospitals NHS Foundation Trust"]);
    assert!(html.contains("after a wait of 20 weeks") && html.contains("made up, for a demonstration"));
    // A row says in every cell what it is, for screens too narrow for columns.
    let heads: Vec<_> =
        page.all("th").filter(|it| it.get("scope") == Some("col")).map(|it| it.text.clone()).collect();
    let cells: Vec<_> = page.all("td").take(4).map(|it| it.get("data-label").unwrap().to_owned()).collect();
    assert_eq!(cells, heads[1..]);

    let (page, _) = world.page("/waiting-times/compare?specialty=C_110&weeks=20&provider=NT4", None).await;
    assert_eq!(page.all("tbody").next().unwrap().text.matches("Hospital").count(), 0);
    assert!(page.links_to("/waiting-times/compare?specialty=C_110&#38;weeks=20"));
}

#[tokio::test]
async fn a_comparison_that_lacks_something_says_so_at_its_field() {
    let world = World::new().await;
    world.import_month().await;
    let many = "&provider=RTH".repeat(11);
    for (query, field) in [
        ("specialty=&weeks=20", "#specialty"),
        ("specialty=C_110&weeks=", "#weeks"),
        ("specialty=C_110&weeks=-1", "#weeks"),
        (format!("specialty=C_110&weeks=1{many}").as_str(), "#region"),
    ] {
        let (page, _) = world.page(&format!("/waiting-times/compare?{query}"), None).await;
        assert_eq!(page.title(), "Error: Compare hospitals - Front Door", "{query}");
        assert!(page.links_to(field), "{query}");
        assert_eq!(page.all("table").count(), 0, "{query}");
    }
    for (query, kind) in [
        ("specialty=C_999&weeks=20", ErrorKind::ParameterInvalid),
        ("specialty=C_400&weeks=20", ErrorKind::ParameterInvalid),
        ("specialty=C_110&weeks=20&region=%3Cscript%3E", ErrorKind::ParameterInvalid),
        ("specialty=C_110&weeks=20&provider=R%20H", ErrorKind::ParameterInvalid),
        ("specialty=C_110&weeks=20&after=nowhere", ErrorKind::CursorInvalid),
    ] {
        let response = world.get(&format!("/waiting-times/compare?{query}"), None).await;
        assert_eq!(response.status().as_u16(), kind.status(), "{query}");
    }
}
