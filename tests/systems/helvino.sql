-- A shop in the shape of Helvino: what its database makes use of.
CREATE EXTENSION citext;
CREATE SCHEMA shop;

CREATE TABLE shop.customers (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	email public.citext NOT NULL UNIQUE,
	country character(2) NOT NULL,
	domain text GENERATED ALWAYS AS (split_part(email::text, '@', 2)) STORED
);
ALTER TABLE shop.customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY swiss ON shop.customers TO reporting USING (country = 'ch');
CREATE DOMAIN shop.rappen AS bigint CHECK (VALUE >= 0);
CREATE TABLE shop.prices (
	wine text,
	valid daterange,
	price shop.rappen NOT NULL,
	PRIMARY KEY (wine, valid)
);
CREATE TABLE shop."Odd name/%" (
	"a b" text[],
	x bytea
);
CREATE TABLE shop.invoices (
	number integer PRIMARY KEY,
	document oid NOT NULL
);
CREATE TABLE shop.events (
	id bigserial,
	customer integer NOT NULL REFERENCES shop.customers,
	kind text NOT NULL,
	at timestamptz NOT NULL,
	data jsonb,
	PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
SELECT format('CREATE TABLE shop.events_%s PARTITION OF shop.events
	FOR VALUES FROM (%L) TO (%L)', to_char(m, 'YYYYMM'), m, m + interval '1 month')
	FROM generate_series('2025-01-01'::timestamptz, '2025-12-01', '1 month') AS m \gexec
CREATE TABLE shop.events_later PARTITION OF shop.events DEFAULT;
CREATE TABLE shop.uploads (
	event bigint PRIMARY KEY,
	path text NOT NULL UNIQUE,
	sha256 text NOT NULL
);

CREATE FUNCTION shop.no_bargain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.price < 100 THEN
		RAISE EXCEPTION 'not for %', new.price;
	END IF;
	RETURN new;
END $$;
CREATE TRIGGER no_bargain BEFORE INSERT OR UPDATE ON shop.prices
	FOR EACH ROW EXECUTE FUNCTION shop.no_bargain();
CREATE VIEW shop.monthly AS
	SELECT date_trunc('month', at) AS month, kind, count(*)
	FROM shop.events GROUP BY 1, 2;

INSERT INTO shop.customers (email, country)
	SELECT 'Customer' || n || '@example' || n % 9 || '.ch',
		(ARRAY['ch', 'de', 'it'])[1 + n % 3] FROM generate_series(1, 5000) AS n;
INSERT INTO shop.prices
	SELECT 'wine ' || n, daterange('2025-01-01', NULL), 1000 + n * 37 % 9000
	FROM generate_series(1, 800) AS n;
INSERT INTO shop."Odd name/%"
	SELECT ARRAY['é', NULL, n::text], decode(md5(n::text), 'hex')
	FROM generate_series(1, 300) AS n;
INSERT INTO shop.events (customer, kind, at, data)
	SELECT 1 + n * 31 % 5000, (ARRAY['view', 'cart', 'order'])[1 + n % 3],
		'2025-01-01T00:00:00Z'::timestamptz + n * interval '5 min',
		jsonb_build_object('wine', n % 800, 'note', md5(n::text))
	FROM generate_series(1::bigint, :events) AS n;
SELECT count(lo_from_bytea(0, convert_to(repeat('invoice ' || n, 999), 'UTF8')))
	FROM generate_series(1, 20) AS n;
INSERT INTO shop.invoices
	SELECT row_number() OVER (ORDER BY oid), oid FROM pg_largeobject_metadata;
GRANT USAGE ON SCHEMA shop TO reporting;
GRANT SELECT ON shop.customers, shop.monthly TO reporting;
GRANT SELECT (wine, price) ON shop.prices TO reporting;
COMMENT ON DATABASE :"DBNAME" IS 'wines; it''s "live"';
ALTER DATABASE :"DBNAME" SET work_mem = '8MB';
ALTER TABLE shop.events ALTER data SET STORAGE external;
