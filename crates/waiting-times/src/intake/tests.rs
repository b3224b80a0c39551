//! Every reason for refusing a file, on small files in the official layout, and what is read from good ones.

use std::io::{Cursor, Write};

use super::full_extract::{ExtractMonth, read};
use super::layout;
use super::refusal::{Fault, RefusalReason};
use crate::extract_writer::{ExtractGroup, ExtractRow, NamedOrganisation, RowCounts, write_extract};
use crate::model::{BandLayout, OrganisationCode, Part, Period, TreatmentFunction, WeeklyBands};

fn organisation(code: &'static str, name: &'static str) -> NamedOrganisation<'static> {
    NamedOrganisation { code: OrganisationCode::parse(code).unwrap(), name }
}

fn bands(layout: BandLayout, counts: &[(usize, u32)]) -> WeeklyBands {
    let mut all = vec![0; layout.bands()];
    for (band, count) in counts {
        all[*band] = *count;
    }
    WeeklyBands::new(layout, all.into()).unwrap()
}

fn row(code: &str, name: &'static str, counts: RowCounts) -> ExtractRow<'static> {
    ExtractRow { treatment_function: TreatmentFunction::parse(code).unwrap(), name, counts }
}

/// Two providers, one with patients from outside England, in all five parts.
fn groups(layout: BandLayout) -> Vec<ExtractGroup<'static>> {
    let list = |commissioner, part, counts: &[(usize, u32)], unknown| ExtractGroup {
        provider: organisation("RXA", "MADE-UP HOSPITALS, EAST AND WEST"),
        provider_parent: Some(organisation("QXX", "MADE-UP BOARD")),
        commissioner,
        part,
        rows: vec![
            row("C_110", "Trauma and Orthopaedic Service", RowCounts::Bands(bands(layout, counts), unknown)),
            row("X02", "Other - Medical Services", RowCounts::Bands(bands(layout, &[(1, 2)]), 0)),
        ],
    };
    let english = organisation("00A", "MADE-UP COMMISSIONER");
    let other = organisation("NONC", "");
    vec![
        list(english, Part::CompletedAdmitted, &[(3, 4)], 1),
        list(english, Part::CompletedNonAdmitted, &[(2, 9)], 0),
        list(english, Part::Incomplete, &[(0, 30), (17, 40), (30, 20), (52, 5)], 0),
        list(other, Part::Incomplete, &[(0, 3)], 0),
        list(english, Part::IncompleteWithDecisionToAdmit, &[(17, 10)], 0),
        ExtractGroup {
            provider: organisation("NT9", "-"),
            provider_parent: None,
            commissioner: english,
            part: Part::NewClockStarts,
            rows: vec![row("C_110", "Trauma and Orthopaedic Service", RowCounts::Starts(17))],
        },
    ]
}

fn sample_in(layout: BandLayout) -> String {
    let mut out = Vec::new();
    write_extract(&mut out, Period::new(2026, 1).unwrap(), layout, groups(layout)).unwrap();
    String::from_utf8(out).unwrap()
}

fn sample() -> String {
    sample_in(BandLayout::To104Weeks)
}

/// The sample with the field at `line` (from 1) and `column` (from 1) replaced. The provider's name, column 5, holds
/// a comma, so fields are counted outside quotation marks.
fn edited(line: usize, column: usize, field: &str) -> String {
    let text = sample();
    let mut lines: Vec<String> = text.split("\r\n").map(str::to_owned).collect();
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).from_reader(Cursor::new(lines[line - 1].clone()));
    let mut fields: Vec<String> =
        reader.records().next().unwrap().unwrap().iter().map(str::to_owned).collect();
    fields[column - 1] = field.to_owned();
    lines[line - 1] = fields
        .iter()
        .map(|field| if field.contains(',') { format!("\"{field}\"") } else { field.clone() })
        .collect::<Vec<_>>()
        .join(",");
    lines.join("\r\n")
}

fn read_text(text: impl AsRef<[u8]>) -> Result<ExtractMonth, Box<Fault>> {
    read(Cursor::new(text.as_ref().to_vec()))
}

fn refused(text: impl AsRef<[u8]>) -> (RefusalReason, Option<u64>, Option<usize>) {
    let fault = read_text(text).expect_err("must be refused");
    assert!(!fault.message.is_empty());
    (fault.reason, fault.line, fault.column)
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

fn zipped(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in entries {
        let options: zip::write::FileOptions<'_, '_, ()> =
            zip::write::FileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        out.start_file(*name, options).unwrap();
        out.write_all(text.as_bytes()).unwrap();
    }
    out.finish().unwrap().into_inner()
}

// Lines of the sample: 1 header; 2-4 Part_1A; 5-7 Part_1B; 8-10 Part_2; 11-13 Part_2 NONC; 14-16 Part_2A; 17-18 Part_3.
// Columns: 14 is the first band, 119 Total, 120 unknown clock starts, 121 Total All.

#[test]
fn a_good_file_is_summed_and_the_non_english_share_kept_apart() {
    for layout in BandLayout::ALL {
        let month = read_text(sample_in(layout)).unwrap();
        assert_eq!((month.period.to_string().as_str(), month.layout, month.rows), ("2026-01", layout, 17));
        assert_eq!(month.part_total(Part::CompletedAdmitted), Some((7, 0)));
        assert_eq!(month.part_total(Part::CompletedNonAdmitted), Some((11, 0)));
        assert_eq!(month.part_total(Part::Incomplete), Some((102, 5)));
        assert_eq!(month.part_total(Part::IncompleteWithDecisionToAdmit), Some((12, 0)));
        assert_eq!(month.part_total(Part::NewClockStarts), Some((17, 0)));
        let (english, unknown) = month.english_list().unwrap();
        assert_eq!((english.pathways(), unknown), (97, 0));
        assert_eq!(month.cell_count(), 9);

        let cells: Vec<_> = month.cells().collect();
        let list = cells
            .iter()
            .find(|cell| cell.part == Part::Incomplete && cell.treatment_function.as_str() == "C_110")
            .unwrap();
        assert_eq!((list.all.total, list.all.bands.as_ref().unwrap().counts()[0]), (98, 33));
        assert_eq!(list.non_english.as_ref().unwrap().total, 3);
        let completed = cells.iter().find(|cell| cell.part == Part::CompletedAdmitted).unwrap();
        assert_eq!((completed.all.total, completed.all.unknown_clock_start), (5, 1));
        let starts = cells.iter().find(|cell| cell.part == Part::NewClockStarts).unwrap();
        assert_eq!((starts.all.total, &starts.all.bands), (17, &None));

        let named = &month.organisations[&OrganisationCode::parse("RXA").unwrap()];
        assert_eq!(named.name.as_deref(), Some("MADE-UP HOSPITALS, EAST AND WEST"));
        assert_eq!(named.parent_code.unwrap().as_str(), "QXX");
        assert_eq!(month.organisations[&OrganisationCode::parse("NT9").unwrap()].name, None);
        let function = TreatmentFunction::parse("X02").unwrap();
        assert_eq!(month.treatment_functions[&function].as_deref(), Some("Other - Medical Services"));
    }
}

#[test]
fn packing_and_byte_order_mark_do_not_change_what_is_read() {
    let text = sample();
    let plain = read_text(&text).unwrap();
    let with_mark = format!("\u{feff}{text}");
    let zip = zipped(&[
        ("20260131-full-extract-revised.csv", &text),
        ("__MACOSX/._x.csv", "x"),
        ("readme.txt", "x"),
    ]);
    for other in [gzipped(&text), zip, with_mark.clone().into_bytes(), gzipped(&with_mark)] {
        let month = read_text(other).unwrap();
        assert_eq!(month.content_sha256, plain.content_sha256);
        assert_eq!(month.part_total(Part::Incomplete), plain.part_total(Part::Incomplete));
    }
    assert_eq!(plain.content_sha256, platform::crypto::sha256_hex(text.as_bytes()));
}

#[test]
fn what_older_files_do_is_understood() {
    // Any case of the period, header and part; lines above the header; line feeds alone; blank for zero.
    let text = sample().replace("RTT-January-2026", "RTT-JANUARY-2026").replace("Part_2,", "PART_2,");
    assert!(read_text(&text).is_ok());
    let above = format!("Referral to treatment\r\n\r\nMade-up,,,\r\n,,\r\nx\r\n{text}");
    assert_eq!(read_text(above).unwrap().rows, 17);
    assert!(read_text(text.replace("\r\n", "\n")).is_ok());
    assert!(read_text(text.replace(",0,0,0,", ",,,0,")).is_ok());
    let upper = layout::header(BandLayout::To104Weeks).join(",").to_uppercase();
    let rest = text.split_once("\r\n").unwrap().1;
    assert!(read_text(format!("{upper}\r\n{rest}")).is_ok());
}

#[test]
fn the_total_need_not_come_last() {
    let text = sample();
    let mut lines: Vec<&str> = text.split("\r\n").collect();
    lines.swap(3, 1);
    assert!(read_text(lines.join("\r\n")).is_ok());
}

#[test]
fn a_file_that_is_not_whole_is_truncated_or_damaged() {
    let text = sample();
    assert_eq!(refused("").0, RefusalReason::Empty);
    assert_eq!(refused("\u{feff}").0, RefusalReason::Empty);
    assert_eq!(refused(gzipped("")).0, RefusalReason::Empty);
    // Cut in the last row, in its last field, and just before its line end.
    let last = text.trim_end().rfind("\r\n").unwrap();
    for cut in [last + 30, text.len() - 3, text.len() - 2] {
        assert_eq!(refused(&text[..cut]), (RefusalReason::Truncated, Some(18), None), "{cut}");
    }
    // Cut between two rows of one run.
    assert_eq!(refused(&text[..last + 2]), (RefusalReason::MissingTotal, Some(17), None));
    // Only a header.
    assert_eq!(refused(&text[..=text.find('\n').unwrap()]).0, RefusalReason::Empty);

    let packed = gzipped(&text);
    assert_eq!(refused(&packed[..packed.len() / 2]).0, RefusalReason::Truncated);
    assert_eq!(refused(&packed[..packed.len() - 4]).0, RefusalReason::Truncated);
    let mut broken = packed.clone();
    let sum = broken.len() - 6;
    broken[sum] ^= 0xff;
    assert_eq!(refused(&broken).0, RefusalReason::Damaged);
    let mut trailing = packed;
    trailing.extend_from_slice(b"what does not belong here");
    assert_eq!(refused(&trailing).0, RefusalReason::Damaged);

    let archive = zipped(&[("x.csv", &text)]);
    assert_eq!(refused(&archive[..archive.len() / 2]).0, RefusalReason::Damaged);
    let mut broken = archive.clone();
    // The checksum of the entry, in the directory at the end.
    let directory = archive.windows(4).rposition(|at| at == b"PK\x01\x02").unwrap();
    broken[directory + 16] ^= 0xff;
    assert_eq!(refused(&broken).0, RefusalReason::Damaged);
}

#[test]
fn every_byte_that_flips_in_a_packed_file_is_noticed_or_harmless() {
    let text = sample();
    let whole = read_text(&text).unwrap().content_sha256;
    for packed in [gzipped(&text), zipped(&[("x.csv", &text)])] {
        for place in 0..packed.len() {
            let mut flipped = packed.clone();
            flipped[place] ^= 0x10;
            // Where the flip hits what does not matter (a time, a name), the same text must come out.
            if let Ok(month) = read_text(&flipped) {
                assert_eq!(month.content_sha256, whole, "byte {place}");
            }
        }
    }
}

#[test]
fn a_zip_must_hold_one_csv() {
    let text = sample();
    assert_eq!(refused(zipped(&[("a.txt", "x")])).0, RefusalReason::WrongArchive);
    assert_eq!(refused(zipped(&[("a.csv", &text), ("b.csv", &text)])).0, RefusalReason::WrongArchive);
    let many: Vec<(String, &str)> = (0..70).map(|index| (format!("{index}.csv"), "x")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    assert_eq!(refused(zipped(&many)).0, RefusalReason::TooLarge);
}

#[test]
fn other_encodings_are_named() {
    let text = sample();
    let wide: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(refused(&wide), (RefusalReason::WrongEncoding, Some(1), None));
    assert_eq!(refused(&wide[2..]).0, RefusalReason::WrongEncoding);
    let latin: Vec<u8> = text
        .replacen("EAST AND", "EAST \u{1} AND", 1)
        .bytes()
        .map(|byte| if byte == 1 { 0xe9 } else { byte })
        .collect();
    assert_eq!(refused(latin), (RefusalReason::WrongEncoding, Some(2), Some(5)));
    assert_eq!(refused(b"\xd0\xcf\x11\xe0rest").0, RefusalReason::WrongLayout);
}

#[test]
fn another_layout_is_refused_at_the_column_that_differs() {
    let text = sample();
    let swapped =
        text.replacen("Provider Org Code,Provider Org Name", "Provider Org Name,Provider Org Code", 1);
    assert_eq!(refused(swapped), (RefusalReason::WrongLayout, Some(1), Some(4)));
    let renamed = text.replacen("Gt 17 To 18 Weeks SUM 1", "Gt 17 To 18 Weeks", 1);
    assert_eq!(refused(renamed), (RefusalReason::WrongLayout, Some(1), Some(31)));
    assert_eq!(refused("a,b,c\r\n1,2,3\r\n"), (RefusalReason::WrongLayout, Some(1), None));
    // A row with a column too many, or too few.
    let longer = text.replacen("\r\n", "\r\nRTT-January-2026,", 2).replacen("RTT-January-2026,", "", 1);
    assert_eq!(refused(longer), (RefusalReason::WrongLayout, Some(3), Some(122)));
    let above = format!("{}{text}", "note\r\n".repeat(6));
    assert_eq!(refused(above).0, RefusalReason::WrongLayout);
}

#[test]
fn a_count_must_be_a_count() {
    for bad in ["-1", "1.5", "x", "4294967296", "99999999999999999999", "1e2"] {
        assert_eq!(refused(edited(9, 14, bad)), (RefusalReason::BadCount, Some(9), Some(14)), "{bad}");
    }
    let fault = read_text(edited(9, 31, "many")).unwrap_err();
    assert_eq!(fault.column_name.as_deref(), Some("Gt 17 To 18 Weeks SUM 1"));
    assert!(fault.message.contains("many"));
    assert_eq!(refused(edited(2, 119, "-4")), (RefusalReason::BadCount, Some(2), Some(119)));
}

#[test]
fn a_row_must_add_up() {
    // A band too many, a wrong printed total, a wrong unknown count: all caught in the row itself.
    assert_eq!(refused(edited(8, 14, "31")), (RefusalReason::RowDoesNotAddUp, Some(8), Some(121)));
    assert_eq!(refused(edited(2, 119, "5")), (RefusalReason::RowDoesNotAddUp, Some(2), Some(119)));
    assert_eq!(refused(edited(2, 120, "0")), (RefusalReason::RowDoesNotAddUp, Some(2), Some(121)));
    assert_eq!(refused(edited(17, 20, "3")), (RefusalReason::RowDoesNotAddUp, Some(17), Some(20)));
    assert_eq!(refused(edited(17, 120, "3")), (RefusalReason::RowDoesNotAddUp, Some(17), Some(120)));
}

#[test]
fn the_total_must_be_the_sum_of_its_details() {
    // Two people moved from one band to another: the row adds up, the run does not.
    let text = edited(8, 14, "28");
    let mut lines: Vec<String> = text.split("\r\n").map(str::to_owned).collect();
    lines[7] = lines[7].replacen(",28,0,", ",28,2,", 1);
    assert_eq!(refused(lines.join("\r\n")), (RefusalReason::TotalsDoNotAddUp, Some(10), Some(14)));
    // Part 3 has only the last column to check.
    assert_eq!(refused(edited(17, 121, "18")), (RefusalReason::TotalsDoNotAddUp, Some(18), Some(121)));
    // Between unknown clock starts and bands.
    let text = edited(2, 120, "2");
    let mut lines: Vec<String> = text.split("\r\n").map(str::to_owned).collect();
    lines[1] = lines[1].replacen(",4,2,5", ",3,2,5", 1).replacen(",0,4,0,", ",0,3,0,", 1);
    assert_eq!(refused(lines.join("\r\n")), (RefusalReason::TotalsDoNotAddUp, Some(4), Some(17)));
}

#[test]
fn rows_must_be_there_once_and_together() {
    let text = sample();
    let lines: Vec<&str> = text.split("\r\n").collect();
    let with = |order: &[usize]| {
        let mut out: Vec<&str> = order.iter().map(|line| lines[line - 1]).collect();
        out.push("");
        out.join("\r\n")
    };
    // The same detail twice; the same total twice; a whole run twice.
    assert_eq!(refused(with(&[1, 8, 8, 9, 10])), (RefusalReason::DuplicateRow, Some(3), Some(12)));
    assert_eq!(refused(with(&[1, 8, 9, 10, 10])), (RefusalReason::DuplicateRow, Some(5), Some(12)));
    assert_eq!(refused(with(&[1, 8, 9, 10, 2, 3, 4, 8, 9, 10])), (RefusalReason::Reordered, Some(8), None));
    // A run torn apart; a detail missing; the total missing.
    assert_eq!(refused(with(&[1, 8, 9, 2, 3, 4, 10])), (RefusalReason::MissingTotal, Some(3), None));
    assert_eq!(refused(with(&[1, 8, 10, 2, 3, 4])), (RefusalReason::TotalsDoNotAddUp, Some(3), Some(15)));
    assert_eq!(refused(with(&[1, 2, 3, 4])).0, RefusalReason::NoWaitingList);
}

#[test]
fn codes_periods_and_names_must_be_ones() {
    assert_eq!(refused(edited(9, 4, "")), (RefusalReason::UnknownCode, Some(9), Some(4)));
    assert_eq!(refused(edited(9, 8, "0/A")), (RefusalReason::UnknownCode, Some(9), Some(8)));
    assert_eq!(refused(edited(9, 10, "Part_1A_Adjusted")), (RefusalReason::UnknownCode, Some(9), Some(10)));
    assert_eq!(refused(edited(9, 12, "C_99")), (RefusalReason::UnknownCode, Some(9), Some(12)));
    assert_eq!(refused(edited(2, 1, "January")), (RefusalReason::WrongPeriod, Some(2), Some(1)));
    assert_eq!(refused(edited(9, 1, "RTT-February-2026")), (RefusalReason::WrongPeriod, Some(9), Some(1)));
    assert!(read_text(edited(9, 1, "rtt-january-2026")).is_ok());
    assert_eq!(refused(edited(2, 5, "BELL \u{7} HOSPITAL")), (RefusalReason::BadText, Some(2), Some(5)));
    assert_eq!(refused(edited(2, 5, &"X".repeat(300))), (RefusalReason::BadText, Some(2), Some(5)));
}

#[test]
fn a_row_without_end_is_stopped() {
    let text = sample();
    let open_quote =
        text.replace('"', "").replacen("MADE-UP HOSP", "\"MADE-UP HOSP", 1) + &"x".repeat(200_000);
    assert!(matches!(refused(open_quote).0, RefusalReason::TooLarge));
    assert_eq!(refused(vec![b'x'; 1 << 20]).0, RefusalReason::TooLarge);
}

#[test]
fn sums_that_no_population_reaches_are_refused() {
    let layout = BandLayout::To104Weeks;
    let huge = |commissioner| ExtractGroup {
        provider: organisation("RXA", "X"),
        provider_parent: None,
        commissioner: organisation(commissioner, "X"),
        part: Part::Incomplete,
        rows: vec![row("C_110", "T", RowCounts::Bands(bands(layout, &[(0, u32::MAX)]), 0))],
    };
    let mut out = Vec::new();
    write_extract(&mut out, Period::new(2026, 1).unwrap(), layout, [huge("00A"), huge("00B")]).unwrap();
    assert_eq!(refused(out), (RefusalReason::BadCount, Some(4), Some(14)));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..2000)) {
        proptest::prop_assert!(read_text(bytes).is_err());
    }

    #[test]
    fn a_number_changed_anywhere_is_noticed(line in 2_usize..19, column in 14_usize..122, to in 1_u32..100_000) {
        let text = sample();
        let changed = edited(line, column, &(to + 1_000).to_string());
        proptest::prop_assert_ne!(&text, &changed);
        proptest::prop_assert!(read_text(changed).is_err());
    }

    #[test]
    fn a_file_cut_anywhere_is_refused(part in 0.0_f64..1.0) {
        let text = sample();
        let cut = (text.len() as f64 * part) as usize;
        let cut = &text[..cut];
        // Cut exactly between two runs, a file looks whole: that is what the comparison with the month stored
        // before is for.
        if let Ok(month) = read_text(cut) {
            proptest::prop_assert!(cut.ends_with("\r\n") && cut.lines().last().unwrap().contains("C_999"));
            proptest::prop_assert!(month.rows < 17);
        }
    }
}
