//! The access log keeps the entries of one commit in one row: the entries it has move there, in their order and
//! with their links, and the table with a row for each is no more.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, binary, integer, small_integer, text, uuid};
use sea_orm_migration::sea_orm::prelude::Uuid;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        tables(manager).await?;
        let connection = manager.get_connection();
        // The head stands where it stands: moving the entries must not move it.
        move_entries(connection).await?;
        let is_postgres = manager.get_database_backend() == DbBackend::Postgres;
        connection.execute_unprepared("DROP TABLE access_log").await?;
        if is_postgres {
            connection.execute_unprepared("DROP FUNCTION access_log_head_follows()").await?;
        }
        connection.execute_unprepared(if is_postgres { POSTGRES_TRIGGERS } else { SQLITE_TRIGGERS }).await?;
        Ok(())
    }
}

async fn tables(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(AccessLogBlock::Table)
                .col(integer(AccessLogBlock::Month))
                .col(small_integer(AccessLogBlock::Lane))
                .col(big_integer(AccessLogBlock::FirstSeq))
                .col(integer(AccessLogBlock::EntryCount))
                .col(big_integer(AccessLogBlock::AtMicros))
                .col(binary(AccessLogBlock::Entries))
                .col(text(AccessLogBlock::Subjects))
                .col(binary(AccessLogBlock::Mac))
                .primary_key(
                    Index::create()
                        .col(AccessLogBlock::Month)
                        .col(AccessLogBlock::Lane)
                        .col(AccessLogBlock::FirstSeq),
                )
                .to_owned(),
        )
        .await?;
    let is_sqlite = manager.get_database_backend() == DbBackend::Sqlite;
    manager
        .create_table(
            Table::create()
                .table(AccessLogSubject::Table)
                .col(uuid(AccessLogSubject::Subject))
                .col(big_integer(AccessLogSubject::AtMicros))
                .col(integer(AccessLogSubject::Month))
                .col(small_integer(AccessLogSubject::Lane))
                .col(big_integer(AccessLogSubject::FirstSeq))
                .primary_key(
                    Index::create()
                        .col(AccessLogSubject::Subject)
                        .col(AccessLogSubject::AtMicros)
                        .col(AccessLogSubject::Month)
                        .col(AccessLogSubject::Lane)
                        .col(AccessLogSubject::FirstSeq),
                )
                .extra(if is_sqlite { "WITHOUT ROWID" } else { "" })
                .to_owned(),
        )
        .await?;
    if !is_sqlite {
        // Identifiers and links do not compress: trying costs more than it saves.
        manager
            .get_connection()
            .execute_unprepared("ALTER TABLE access_log_block ALTER COLUMN entries SET STORAGE EXTERNAL")
            .await?;
    }
    Ok(())
}

/// Entries are taken over in blocks of this many.
const BLOCK: i64 = 64;

async fn move_entries(connection: &SchemaManagerConnection<'_>) -> Result<(), DbErr> {
    let backend = connection.get_database_backend();
    let mark =
        |number: usize| if backend == DbBackend::Postgres { format!("${number}") } else { "?".to_owned() };
    let chains = Statement::from_string(
        backend,
        "SELECT month, lane, MIN(seq) AS first, MAX(seq) AS last FROM access_log GROUP BY month, lane",
    );
    for chain in connection.query_all_raw(chains).await? {
        let (month, lane): (i32, i16) = (chain.try_get("", "month")?, chain.try_get("", "lane")?);
        let (mut first, last): (i64, i64) = (chain.try_get("", "first")?, chain.try_get("", "last")?);
        while first <= last {
            let sql = format!(
                "SELECT * FROM access_log WHERE month = {} AND lane = {} AND seq >= {} ORDER BY seq LIMIT {BLOCK}",
                mark(1),
                mark(2),
                mark(3)
            );
            let values = [month.into(), lane.into(), first.into()];
            let rows = connection.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
            // A gap stays a gap: the walk over the chain names it.
            let mut block =
                Block::starting_with(rows.first().map_or(Ok(first), |row| row.try_get("", "seq"))?);
            for row in &rows {
                if row.try_get::<i64>("", "seq")? != block.next_seq() {
                    break;
                }
                block.push(row)?;
            }
            if block.count == 0 {
                break;
            }
            first = block.next_seq();
            block.insert(connection, month, lane).await?;
        }
    }
    Ok(())
}

/// A block in the first form of its bytes, as it was on the day of this migration.
struct Block {
    first_seq: i64,
    count: i32,
    at_micros: i64,
    entries: Vec<u8>,
    subjects: Vec<Uuid>,
    mac: Vec<u8>,
}

impl Block {
    fn starting_with(first_seq: i64) -> Self {
        Self { first_seq, count: 0, at_micros: 0, entries: vec![1], subjects: Vec::new(), mac: Vec::new() }
    }

    fn next_seq(&self) -> i64 {
        self.first_seq + i64::from(self.count)
    }

    fn push(&mut self, row: &QueryResult) -> Result<(), DbErr> {
        let request_id: Uuid = row.try_get("", "request_id")?;
        let actor: Option<Uuid> = row.try_get("", "actor")?;
        let subject: Option<Uuid> = row.try_get("", "subject")?;
        let refused: Option<String> = row.try_get("", "refused")?;
        self.at_micros = row.try_get("", "at_micros")?;
        self.mac = row.try_get("", "mac")?;
        let subject = subject.map_or(u16::MAX, |subject| {
            let at = self.subjects.iter().position(|known| *known == subject).unwrap_or(self.subjects.len());
            if at == self.subjects.len() {
                self.subjects.push(subject);
            }
            <u16 as TryFrom<usize>>::try_from(at).unwrap_or(u16::MAX)
        });
        let out = &mut self.entries;
        out.extend_from_slice(&self.at_micros.to_be_bytes());
        out.extend_from_slice(request_id.as_bytes());
        out.push(u8::from(actor.is_some()));
        out.extend_from_slice(actor.as_ref().map_or(&[][..], |actor| actor.as_bytes()));
        out.extend_from_slice(&subject.to_be_bytes());
        for column in ["authority", "client", "category", "purpose", "operation"] {
            put(out, &row.try_get::<String>("", column)?);
        }
        out.push(u8::from(refused.is_some()));
        if let Some(reason) = refused {
            put(out, &reason);
        }
        out.extend_from_slice(&self.mac);
        self.count += 1;
        Ok(())
    }

    async fn insert(
        self,
        connection: &SchemaManagerConnection<'_>,
        month: i32,
        lane: i16,
    ) -> Result<(), DbErr> {
        for subject in &self.subjects {
            let insert = Query::insert()
                .into_table(AccessLogSubject::Table)
                .columns([
                    AccessLogSubject::Subject,
                    AccessLogSubject::AtMicros,
                    AccessLogSubject::Month,
                    AccessLogSubject::Lane,
                    AccessLogSubject::FirstSeq,
                ])
                .values_panic([
                    (*subject).into(),
                    self.at_micros.into(),
                    month.into(),
                    lane.into(),
                    self.first_seq.into(),
                ])
                .to_owned();
            connection.execute(&insert).await?;
        }
        let digits: Vec<String> =
            self.subjects.iter().map(|subject| format!("\"{}\"", subject.simple())).collect();
        let insert = Query::insert()
            .into_table(AccessLogBlock::Table)
            .columns([
                AccessLogBlock::Month,
                AccessLogBlock::Lane,
                AccessLogBlock::FirstSeq,
                AccessLogBlock::EntryCount,
                AccessLogBlock::AtMicros,
                AccessLogBlock::Entries,
                AccessLogBlock::Subjects,
                AccessLogBlock::Mac,
            ])
            .values_panic([
                month.into(),
                lane.into(),
                self.first_seq.into(),
                self.count.into(),
                self.at_micros.into(),
                self.entries.into(),
                format!("[{}]", digits.join(",")).into(),
                self.mac.into(),
            ])
            .to_owned();
        connection.execute(&insert).await.map(|_| ())
    }
}

fn put(out: &mut Vec<u8>, text: &str) {
    let length = <u16 as TryFrom<usize>>::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&text.as_bytes()[..usize::from(length)]);
}

/// The head of a chain and the index of subjects follow a block in the statement that appends it; blocks and index
/// are written once.
const POSTGRES_TRIGGERS: &str = "
CREATE FUNCTION access_log_block_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO access_log_head (month, lane, next_seq, mac)
  VALUES (NEW.month, NEW.lane, NEW.first_seq + NEW.entry_count, NEW.mac)
  ON CONFLICT (month, lane) DO UPDATE SET next_seq = excluded.next_seq, mac = excluded.mac;
  INSERT INTO access_log_subject (subject, at_micros, month, lane, first_seq)
  SELECT value::uuid, NEW.at_micros, NEW.month, NEW.lane, NEW.first_seq
  FROM json_array_elements_text(NEW.subjects::json);
  RETURN NULL;
END $$;
CREATE TRIGGER access_log_block_follows AFTER INSERT ON access_log_block
FOR EACH ROW EXECUTE FUNCTION access_log_block_follows();
CREATE TRIGGER access_log_append_only BEFORE UPDATE OR DELETE ON access_log_block
FOR EACH ROW EXECUTE FUNCTION access_log_is_append_only();
CREATE TRIGGER access_log_subject_append_only BEFORE UPDATE OR DELETE ON access_log_subject
FOR EACH ROW EXECUTE FUNCTION access_log_is_append_only();
";

const SQLITE_TRIGGERS: &str = "
CREATE TRIGGER access_log_block_follows AFTER INSERT ON access_log_block
BEGIN
  INSERT INTO access_log_head (month, lane, next_seq, mac)
  VALUES (NEW.month, NEW.lane, NEW.first_seq + NEW.entry_count, NEW.mac)
  ON CONFLICT (month, lane) DO UPDATE SET next_seq = excluded.next_seq, mac = excluded.mac;
  INSERT INTO access_log_subject (subject, at_micros, month, lane, first_seq)
  SELECT unhex(value), NEW.at_micros, NEW.month, NEW.lane, NEW.first_seq FROM json_each(NEW.subjects);
END;
CREATE TRIGGER access_log_no_update BEFORE UPDATE ON access_log_block
BEGIN SELECT RAISE(ABORT, 'the access log is append-only'); END;
CREATE TRIGGER access_log_no_delete BEFORE DELETE ON access_log_block
BEGIN SELECT RAISE(ABORT, 'the access log is append-only'); END;
CREATE TRIGGER access_log_subject_no_update BEFORE UPDATE ON access_log_subject
BEGIN SELECT RAISE(ABORT, 'the access log is append-only'); END;
CREATE TRIGGER access_log_subject_no_delete BEFORE DELETE ON access_log_subject
BEGIN SELECT RAISE(ABORT, 'the access log is append-only'); END;
";

#[derive(DeriveIden)]
enum AccessLogBlock {
    Table,
    Month,
    Lane,
    FirstSeq,
    EntryCount,
    AtMicros,
    Entries,
    Subjects,
    Mac,
}

#[derive(DeriveIden)]
enum AccessLogSubject {
    Table,
    Subject,
    AtMicros,
    Month,
    Lane,
    FirstSeq,
}
