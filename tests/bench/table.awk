# table.awk ROWS SAMPLES: the table, and JSON lines in file `json`.

function sort(a, n,	i, j, t) {
	for (i = 2; i <= n; i++) {
		t = a[i]
		for (j = i - 1; j > 0 && a[j] > t; j--)
			a[j + 1] = a[j]
		a[j + 1] = t
	}
}

# Sets med, low and high of the n numbers in a.
function middle(a, n) {
	sort(a, n)
	low = a[1]
	high = a[n]
	med = n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
}

function load(key, who,	n, i) {
	n = split(value[key, who], got, " ")
	for (i = 1; i <= n; i++)
		got[i] += 0
	return n
}

function number(x, u) {
	if (u == "MiB")
		return sprintf("%.1f", x)
	if (x >= 100)
		return sprintf("%.0f", x)
	return sprintf(x >= 10 ? "%.1f" : x >= 1 ? "%.2f" : "%.3f", x)
}

function ratio_text(x) {
	return sprintf(x < 0.0995 ? "%.3f" : "%.2f", x)
}

# "1.23 (1.20-1.30)"
function amount(key, who, u,	n) {
	n = load(key, who)
	if (!n)
		return "-"
	middle(got, n)
	if (n == 1)
		return number(med, u)
	return number(med, u) " (" number(low, u) "-" number(high, u) ")"
}

# Sets ratio, and its range over rounds in ratio_low and ratio_high.
function compare(key, who,	n, m, i, h, pair) {
	n = load(key, who)
	for (i = 1; i <= n; i++)
		h[i] = got[i]
	m = load(key, "native")
	if (!n || !m)
		return 0
	for (i = 1; i <= n && i <= m; i++)
		pair[i] = h[i] / got[i]
	middle(pair, i - 1)
	ratio_low = low
	ratio_high = high
	middle(h, n)
	ratio = med
	middle(got, m)
	ratio /= med
	return 1
}

function other(key, who, u,	n) {
	if (compare(key, who))
		return ratio_text(ratio)
	n = load(key, who)
	if (!n)
		return "-"
	middle(got, n)
	return number(med, u) " " u
}

function json_line(i, who, verdict,	key, n, j, line) {
	key = keys[i]
	n = load(key, who)
	if (!n)
		return
	line = "{\"work\": \"" key "\", \"subject\": \"" who "\", \"unit\": \"" \
		unit[i] "\", \"scale\": " scale + 0 ", \"runs\": ["
	for (j = 1; j <= n; j++)
		line = line (j > 1 ? ", " : "") got[j]
	middle(got, n)
	line = line "], \"median\": " med ", \"min\": " low ", \"max\": " high
	if (who != "native" && compare(key, who))
		line = line ", \"ratio\": " ratio ", \"ratio_min\": " \
			ratio_low ", \"ratio_max\": " ratio_high
	if (who == "hxsnap" && verdict != "")
		line = line ", \"target\": \"" target[i] "\", \"met\": " \
			(verdict == "ok" ? "true" : "false")
	print line "}" >json
}

FNR == NR {
	if (/^#/ || NF < 4)
		next
	keys[++rows] = $1
	unit[rows] = $2
	target[rows] = $3
	sub(/^[^\t]*\t+[^\t]*\t+[^\t]*\t+/, "")
	sub(/ N /, " " snapshots " ")
	sub(/ N,/, " " snapshots ",")
	words[rows] = $0
	next
}

{
	value[$1, $2] = value[$1, $2] " " $3
}

END {
	form = "%-55s %-3s %-22s %-22s %-20s %6s %-6s %8s %8s %10s %8s\n"
	printf form, "work", "", "hxsnap", "native", "ratio", "target", "",
		"restic", "borg", "squashfuse", "rsync"
	for (i = 1; i <= rows; i++) {
		key = keys[i]
		n = load(key, "hxsnap")
		if (!n)
			continue
		verdict = shown = ""
		middle(got, n)
		have = med
		if (compare(key, "hxsnap")) {
			have = ratio
			shown = ratio_text(ratio) " (" ratio_text(ratio_low) \
				"-" ratio_text(ratio_high) ")"
		}
		if (target[i] != "-") {
			if (unit[i] == "/s")
				verdict = have >= target[i] + 0 ? "ok" : "MISSED"
			else
				verdict = have <= target[i] + 0 ? "ok" : "MISSED"
		}
		printf form, words[i], unit[i], amount(key, "hxsnap", unit[i]),
			amount(key, "native", unit[i]),
			shown == "" ? "-" : shown, target[i], verdict,
			other(key, "restic", unit[i]),
			other(key, "borg", unit[i]),
			other(key, "squashfuse", unit[i]),
			other(key, "rsync", unit[i])
		if (json == "")
			continue
		split("hxsnap native restic borg squashfuse rsync", who, " ")
		for (j = 1; j <= 6; j++)
			json_line(i, who[j], verdict)
	}
}
