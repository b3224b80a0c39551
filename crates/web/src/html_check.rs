//! Reads a rendered page strictly and checks what must hold for every page. Tests only.

use std::collections::{HashMap, HashSet};

const VOID: [&str; 6] = ["meta", "link", "input", "br", "hr", "img"];
/// The one place elsewhere that pages lead to, by a link a person may choose.
const ELSEWHERE: &str = crate::views::NHS_CONSTITUTION;

#[derive(Debug, Clone)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: HashMap<String, String>,
    /// Everything inside, tags left out.
    pub(crate) text: String,
    /// The places of the elements around it, outermost first.
    around: Vec<usize>,
}

impl Element {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) elements: Vec<Element>,
}

impl Page {
    /// Reads a page and checks it.
    pub(crate) fn checked(html: &str) -> Self {
        let page = Self::read(html).unwrap_or_else(|fault| panic!("{fault}\n{html}"));
        if let Err(fault) = page.check() {
            panic!("{fault}\n{html}");
        }
        page
    }

    pub(crate) fn read(html: &str) -> Result<Self, String> {
        let mut rest = html.strip_prefix("<!doctype html>").ok_or("no doctype")?;
        let mut elements: Vec<Element> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        while let Some(at) = rest.find('<') {
            let text = &rest[..at];
            if text.contains('>') {
                return Err(format!("a bare > in {text:?}"));
            }
            for place in &open {
                elements[*place].text.push_str(text);
            }
            rest = &rest[at..];
            let end = tag_end(rest).ok_or_else(|| format!("a tag without end: {rest:.40}"))?;
            let inside = &rest[1..end];
            rest = &rest[end + 1..];
            if let Some(name) = inside.strip_prefix('/') {
                let last = open.pop().ok_or_else(|| format!("</{name}> closes nothing"))?;
                if elements[last].name != name {
                    return Err(format!("</{name}> closes <{}>", elements[last].name));
                }
                continue;
            }
            let (name, attributes) = attributes(inside)?;
            let void = VOID.contains(&name.as_str());
            elements.push(Element { name, attributes, text: String::new(), around: open.clone() });
            if !void {
                open.push(elements.len() - 1);
            }
        }
        if let Some(left) = open.last() {
            return Err(format!("<{}> is never closed", elements[*left].name));
        }
        if !rest.trim().is_empty() {
            return Err(format!("text after the end: {rest:?}"));
        }
        Ok(Self { elements })
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &Element> {
        self.elements.iter().filter(move |element| element.name == name)
    }

    /// Whether a link leads there, as the address stands in the page.
    pub(crate) fn links_to(&self, address: &str) -> bool {
        self.all("a").any(|link| link.get("href") == Some(address))
    }

    pub(crate) fn heading(&self) -> String {
        self.all("h1").map(|heading| heading.text.clone()).collect()
    }

    pub(crate) fn title(&self) -> String {
        self.all("title").map(|title| title.text.clone()).collect()
    }

    /// Where the forms that change something post to.
    pub(crate) fn posts_to(&self) -> Vec<&str> {
        self.all("form")
            .filter(|form| form.get("method") == Some("post"))
            .filter_map(|form| form.get("action"))
            .collect()
    }

    /// The fields inside the form with this action.
    pub(crate) fn fields_of(&self, action: &str) -> HashMap<String, String> {
        self.elements
            .iter()
            .filter(|element| {
                element.around.iter().any(|place| self.elements[*place].get("action") == Some(action))
            })
            .filter_map(|field| {
                Some((field.get("name")?.to_owned(), field.get("value").unwrap_or_default().to_owned()))
            })
            .collect()
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        self.check_frame()?;
        self.check_attributes()?;
        self.check_references()?;
        self.check_headings()?;
        self.check_forms()
    }

    fn check_frame(&self) -> Result<(), String> {
        for (name, number) in
            [("html", 1), ("title", 1), ("h1", 1), ("main", 1), ("header", 1), ("footer", 1)]
        {
            let found = self.all(name).count();
            if found != number {
                return Err(format!("{found} of <{name}>"));
            }
        }
        if self.all("html").next().and_then(|html| html.get("lang")) != Some("en") {
            return Err("no language".to_owned());
        }
        let title = self.title();
        if !title.ends_with(" - Front Door") || title.trim_end_matches(" - Front Door").is_empty() {
            return Err(format!("the title is {title:?}"));
        }
        let first_link = self.all("a").next();
        if first_link.and_then(|link| link.get("href")) != Some("#main") {
            return Err("the first link does not skip to the content".to_owned());
        }
        // Every text stands in a landmark, but the link that skips.
        for element in self.all("p").chain(self.all("h1")).chain(self.all("li")) {
            let landmark = ["header", "main", "footer", "nav", "section"];
            if !element.around.iter().any(|place| landmark.contains(&self.elements[*place].name.as_str())) {
                return Err(format!("{:?} is in no landmark", element.text));
            }
        }
        Ok(())
    }

    fn check_attributes(&self) -> Result<(), String> {
        for element in &self.elements {
            if ["style", "iframe", "object", "embed", "base"].contains(&element.name.as_str()) {
                return Err(format!("<{}>", element.name));
            }
            if element.name == "script" && (element.get("src").is_none() || !element.text.trim().is_empty()) {
                return Err("a script in the page".to_owned());
            }
            for (name, value) in &element.attributes {
                if name == "style" || name.starts_with("on") {
                    return Err(format!("{name}={value:?} on <{}>", element.name));
                }
                if ["href", "src", "action"].contains(&name.as_str()) {
                    let here = value.starts_with('#') || (value.starts_with('/') && !value.starts_with("//"));
                    let chosen = element.name == "a" && name == "href" && value == ELSEWHERE;
                    if !here && !chosen {
                        return Err(format!("{name}={value:?} leads elsewhere"));
                    }
                }
            }
            if element.name == "svg" {
                self.check_picture(element)?;
            }
            if ["a", "button", "h1", "h2", "h3", "h4", "label", "legend", "figcaption", "caption", "th"]
                .contains(&element.name.as_str())
                && element.text.trim().is_empty()
            {
                return Err(format!("an empty <{}>", element.name));
            }
        }
        Ok(())
    }

    /// A picture has its text, stands in a figure that names it, and is followed by its numbers.
    fn check_picture(&self, picture: &Element) -> Result<(), String> {
        if picture.get("role") != Some("img") || picture.get("aria-label").is_none_or(|text| text.len() < 20)
        {
            return Err("a picture without text".to_owned());
        }
        let in_figure = picture.around.iter().any(|place| self.elements[*place].name == "figure");
        if !in_figure || self.all("figcaption").count() < self.all("svg").count() {
            return Err("a picture without caption".to_owned());
        }
        if self.all("table").count() < self.all("svg").count() {
            return Err("a picture without table".to_owned());
        }
        Ok(())
    }

    fn check_references(&self) -> Result<(), String> {
        let mut ids = HashSet::new();
        for id in self.elements.iter().filter_map(|element| element.get("id")) {
            if !ids.insert(id) {
                return Err(format!("id {id} twice"));
            }
        }
        for element in &self.elements {
            let named =
                ["for", "aria-labelledby", "aria-describedby"].iter().filter_map(|name| element.get(name));
            for id in named.flat_map(str::split_whitespace) {
                if !ids.contains(id) {
                    return Err(format!("nothing has the id {id}"));
                }
            }
            let target = element.get("href").and_then(|href| href.strip_prefix('#'));
            if target.is_some_and(|target| !ids.contains(target)) {
                return Err(format!("a link to {target:?}, which is not there"));
            }
        }
        Ok(())
    }

    fn check_headings(&self) -> Result<(), String> {
        let mut level = 1;
        let in_main =
            |element: &&Element| element.around.iter().any(|place| self.elements[*place].name == "main");
        for heading in self.elements.iter().filter(in_main) {
            let Some(next) = heading.name.strip_prefix('h').and_then(|level| level.parse::<u8>().ok()) else {
                continue;
            };
            if next > level + 1 {
                return Err(format!("h{next} after h{level}"));
            }
            level = next;
        }
        Ok(())
    }

    fn check_forms(&self) -> Result<(), String> {
        let labelled: HashSet<&str> = self.all("label").filter_map(|label| label.get("for")).collect();
        for (place, form) in self.elements.iter().enumerate().filter(|(_, element)| element.name == "form") {
            let inside = || self.elements.iter().filter(move |element| element.around.contains(&place));
            if form.get("method") == Some("post") {
                let token = inside().find(|field| field.get("name") == Some("csrf_token"));
                let good = token.is_some_and(|it| {
                    it.get("type") == Some("hidden") && it.get("value").is_some_and(|it| !it.is_empty())
                });
                if !good {
                    return Err(format!("the form to {:?} has no token", form.get("action")));
                }
            } else if form.get("method") != Some("get") {
                return Err("a form without method".to_owned());
            } else if inside().any(|field| field.get("name") == Some("csrf_token")) {
                return Err("a token in an address".to_owned());
            }
            if !inside().any(|field| field.name == "button" && field.get("type") == Some("submit")) {
                return Err("a form without button".to_owned());
            }
            for field in
                inside().filter(|field| ["input", "select", "textarea"].contains(&field.name.as_str()))
            {
                let hidden = field.get("type") == Some("hidden");
                if !hidden && !field.get("id").is_some_and(|id| labelled.contains(id)) {
                    return Err(format!("{:?} has no label", field.get("name")));
                }
            }
        }
        Ok(())
    }
}

/// The token of every made-up session of the tests.
pub(crate) const TOKEN: &str = "token-of-the-test";

/// Where a tag ends: the first `>` outside quotes.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quoted = false;
    tag.char_indices().find_map(|(at, letter)| {
        quoted ^= letter == '"';
        (letter == '>' && !quoted).then_some(at)
    })
}

fn attributes(inside: &str) -> Result<(String, HashMap<String, String>), String> {
    let (name, mut rest) = inside.split_once(' ').unwrap_or((inside, ""));
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
        return Err(format!("a tag named {name:?}"));
    }
    let mut found = HashMap::new();
    rest = rest.trim_start();
    while !rest.is_empty() {
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let key = rest[..end].to_owned();
        if key.is_empty() || (key != "viewBox" && !key.chars().all(|c| c.is_ascii_lowercase() || c == '-')) {
            return Err(format!("an attribute named {key:?} in <{inside}>"));
        }
        let value;
        if let Some(quoted) = rest[end..].strip_prefix("=\"") {
            let close = quoted.find('"').ok_or_else(|| format!("an open quote in <{inside}>"))?;
            value = quoted[..close].to_owned();
            rest = quoted[close + 1..].trim_start();
        } else if rest[end..].starts_with('=') {
            return Err(format!("a value without quotes in <{inside}>"));
        } else {
            value = String::new();
            rest = rest[end..].trim_start();
        }
        if found.insert(key.clone(), value).is_some() {
            return Err(format!("{key} twice in <{inside}>"));
        }
    }
    Ok((name.to_owned(), found))
}

/// A checker that finds nothing proves nothing: each of these must be found.
#[test]
fn bad_pages_are_noticed() {
    let page = |main: &str| {
        format!(
            "<!doctype html><html lang=\"en\"><head><title>T - Front Door</title></head><body><a href=\"#main\">Skip</a>\
             <header><p>x</p></header><main id=\"main\"><h1>H</h1>{main}</main><footer><p>y</p></footer></body></html>"
        )
    };
    Page::checked(&page("<p>fine</p>"));
    for bad in [
        "<p>never closed",
        "<p><b>crossed</p></b>",
        "</p>",
        "<p style=\"color:red\">x</p>",
        "<p onclick=\"x()\">x</p>",
        "<script>alert(1)</script>",
        "<style>p{}</style>",
        "<a href=\"https://elsewhere.example/\">x</a>",
        "<a href=\"//elsewhere.example/\">x</a>",
        "<a href=\"javascript:x\">x</a>",
        "<img src=\"https://www.gov.uk/government/publications/the-nhs-constitution-for-england\">",
        "<svg viewBox=\"0 0 1 1\"><circle r=\"1\"></circle></svg>",
        "<figure><svg role=\"img\" aria-label=\"a picture with its text alone\"></svg></figure>",
        "<svg viewBox=\"0 0 1 1\"><circle r=\"1\"></svg>",
        "<a href=\"/x\"></a>",
        "<a href=\"#nowhere\">x</a>",
        "<h1>again</h1>",
        "<h3>skipped a level</h3>",
        "<p id=\"a\">x</p><p id=\"a\">y</p>",
        "<form method=\"post\" action=\"/x\"><button type=\"submit\">x</button></form>",
        "<form method=\"get\" action=\"/x\"><input name=\"a\" id=\"a\" type=\"text\"><button type=\"submit\">x</button></form>",
        "<p class=bare>x</p>",
        "<p class=\"a\" class=\"b\">x</p>",
    ] {
        let html = page(bad);
        assert!(Page::read(&html).and_then(|page| page.check()).is_err(), "{bad}");
    }
}
