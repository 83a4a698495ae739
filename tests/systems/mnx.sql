-- An event store and its read models, in the shape of MNX: what happened is in
-- event_core; each lens is a schema of its own that is made of it.
CREATE EXTENSION pg_trgm;
CREATE SCHEMA event_core;
CREATE SCHEMA lens_rel;
CREATE SCHEMA lens_sem;
CREATE SCHEMA lens_graph;
CREATE SCHEMA lens_emo;

CREATE TABLE event_core.event_log (
	global_seq bigserial PRIMARY KEY,
	stream text NOT NULL,
	payload jsonb NOT NULL,
	ts timestamptz NOT NULL
);
CREATE INDEX ON event_core.event_log (stream);
CREATE TABLE event_core.outbox (
	id bigserial PRIMARY KEY,
	global_seq bigint NOT NULL UNIQUE REFERENCES event_core.event_log,
	topic text NOT NULL
);
CREATE TABLE event_core.projector_watermarks (
	projector text PRIMARY KEY,
	global_seq bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE event_core.event_log IS 'only ever appended to';
INSERT INTO event_core.projector_watermarks
	VALUES ('lens_rel'), ('lens_sem'), ('lens_graph'), ('lens_emo');

CREATE TABLE lens_rel.facts (
	stream text PRIMARY KEY,
	events bigint NOT NULL CHECK (events > 0),
	last_seq bigint NOT NULL
);
CREATE TABLE lens_rel.links (
	source text REFERENCES lens_rel.facts,
	target text,
	PRIMARY KEY (source, target)
);
CREATE TABLE lens_sem.texts (
	stream text PRIMARY KEY,
	words text NOT NULL,
	last_seq bigint NOT NULL
);
CREATE INDEX texts_trgm ON lens_sem.texts USING gin (words public.gin_trgm_ops);
CREATE TABLE lens_graph.edges (
	source text,
	target text,
	weight bigint NOT NULL,
	PRIMARY KEY (source, target)
);
CREATE MATERIALIZED VIEW lens_graph.heavy AS
	SELECT * FROM lens_graph.edges WHERE weight > 3;
CREATE TYPE lens_emo.mood AS ENUM ('calm', 'glad', 'sad');
CREATE TABLE lens_emo.moods (
	stream text,
	mood lens_emo.mood,
	valence numeric NOT NULL,
	PRIMARY KEY (stream, mood)
);

-- An event and its place in the outbox, or neither.
CREATE FUNCTION event_core.append(stream text, payload jsonb, ts timestamptz)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	seq bigint;
BEGIN
	INSERT INTO event_core.event_log (stream, payload, ts)
		VALUES (stream, payload, ts) RETURNING global_seq INTO seq;
	INSERT INTO event_core.outbox (global_seq, topic)
		VALUES (seq, split_part(stream, '-', 1));
	RETURN seq;
END $$;

-- What the events after the watermark mean, up to event @until.
CREATE FUNCTION event_core.project_lens(lens text, until bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	done bigint;
BEGIN
	SELECT global_seq INTO done FROM event_core.projector_watermarks
		WHERE projector = lens FOR UPDATE;
	CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS
		SELECT *, payload ->> 'to' AS target FROM event_core.event_log
		WHERE global_seq > done AND global_seq <= until;
	CASE lens
	WHEN 'lens_rel' THEN
		INSERT INTO lens_rel.facts
			SELECT stream, count(*), max(global_seq) FROM fresh GROUP BY 1
			ON CONFLICT (stream) DO UPDATE
			SET events = facts.events + excluded.events,
				last_seq = excluded.last_seq;
		INSERT INTO lens_rel.links SELECT DISTINCT stream, target FROM fresh
			ON CONFLICT DO NOTHING;
	WHEN 'lens_sem' THEN
		INSERT INTO lens_sem.texts
			SELECT DISTINCT ON (stream) stream, payload ->> 'text', global_seq
				FROM fresh ORDER BY stream, global_seq DESC
			ON CONFLICT (stream) DO UPDATE
			SET words = excluded.words, last_seq = excluded.last_seq;
	WHEN 'lens_graph' THEN
		INSERT INTO lens_graph.edges
			SELECT stream, target, count(*) FROM fresh GROUP BY 1, 2
			ON CONFLICT (source, target) DO UPDATE
			SET weight = edges.weight + excluded.weight;
	WHEN 'lens_emo' THEN
		INSERT INTO lens_emo.moods
			SELECT stream, (payload ->> 'mood')::lens_emo.mood,
				sum((payload ->> 'n')::numeric % 7) FROM fresh GROUP BY 1, 2
			ON CONFLICT (stream, mood) DO UPDATE
			SET valence = moods.valence + excluded.valence;
	END CASE;
	DROP TABLE fresh;
	UPDATE event_core.projector_watermarks
		SET global_seq = greatest(done, until) WHERE projector = lens;
END $$;

CREATE FUNCTION event_core.project(until bigint)
RETURNS void LANGUAGE sql AS $$
	SELECT event_core.project_lens(projector, until)
		FROM event_core.projector_watermarks ORDER BY projector;
$$;

-- Everything that is made of events, made anew of those up to @until.
CREATE FUNCTION event_core.rebuild(until bigint)
RETURNS void LANGUAGE sql AS $$
	TRUNCATE lens_rel.facts, lens_rel.links, lens_sem.texts,
		lens_graph.edges, lens_emo.moods;
	UPDATE event_core.projector_watermarks SET global_seq = 0;
	SELECT event_core.project(until);
	REFRESH MATERIALIZED VIEW lens_graph.heavy;
$$;

INSERT INTO event_core.event_log (stream, payload, ts)
	SELECT 'note-' || n * 7919 % 4001,
		jsonb_build_object('n', n, 'to', 'note-' || n * 104729 % 4001,
			'mood', (ARRAY['calm', 'glad', 'sad'])[1 + n % 3],
			'text', md5(n::text) || ' ' || md5((n / 7)::text)),
		'2025-01-01T00:00:00Z'::timestamptz + n * interval '216 s'
	FROM generate_series(1::bigint, :events) AS n;
INSERT INTO event_core.outbox (global_seq, topic)
	SELECT global_seq, 'note' FROM event_core.event_log ORDER BY 1;
SELECT event_core.rebuild(:events);
ANALYZE;
