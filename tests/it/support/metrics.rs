//! A scrape, read as Prometheus reads it (text format 0.0.4).

use std::collections::BTreeMap;

/// The samples of one scrape.
#[derive(Debug)]
pub(crate) struct Scrape(Vec<Sample>);

#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Scrape {
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(lines.map(|line| sample(line).unwrap_or_else(|| panic!("not a sample: {line:?}"))).collect())
    }

    /// The sum of the samples of `jsonwarden_<name>` that have all these labels, for what counts things; 0 when there is none.
    #[track_caller]
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> usize {
        let sum = self.sum(name, labels);
        sum.to_string().parse().unwrap_or_else(|_| panic!("jsonwarden_{name} does not count: {sum}"))
    }

    /// The same for what need not be whole.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        // The sum of nothing is -0.0.
        0.0 + self.matching(name, labels).sum::<f64>()
    }

    /// Is there such a sample?
    pub(crate) fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.matching(name, labels).next().is_some()
    }

    fn matching(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = f64> {
        let has = |sample: &Sample| {
            sample.name.strip_prefix("jsonwarden_") == Some(name)
                && labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|one| one == value))
        };
        self.0.iter().filter(move |sample| has(sample)).map(|sample| sample.value)
    }
}

fn sample(line: &str) -> Option<Sample> {
    let name_ends = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(name_ends);
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    Some(Sample { name: name.to_owned(), labels, value: value.trim().parse().ok()? })
}

/// Reads `a="b",c="d"}` and returns what follows.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (key, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = after.char_indices();
        rest = loop {
            match characters.next()? {
                (_, '\\') => value.push(match characters.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (index, '"') => break &after[index + 1..],
                (_, other) => value.push(other),
            }
        };
        labels.insert(key.to_owned(), value);
    }
}

#[test]
fn a_scrape_is_read_with_its_labels() {
    let scrape = Scrape::parse(
        "# TYPE x counter\njsonwarden_a{b=\"c,\\\"}\",d=\"e\"} 2\njsonwarden_a{b=\"f\"} 3\njsonwarden_g 4e0\n",
    );
    assert_eq!(scrape.count("a", &[]), 5);
    assert_eq!(scrape.count("a", &[("b", "c,\"}")]), 2);
    assert!(scrape.has("g", &[]) && !scrape.has("a", &[("d", "f")]));
}
