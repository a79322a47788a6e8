"""The report and the comparison from disk in a real browser: they ask nobody for anything."""

import pytest

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(browser, request):
    """Open a file; whatever the console says and whatever else is asked for fails the test."""
    page = browser.new_page(color_scheme=getattr(request, "param", "light"))
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda one: asked.append(one.url))

    def open_file(path):
        page.goto(path.as_uri())
        return page

    yield open_file
    page.close()
    assert said == []
    assert len(asked) == 1
    assert asked[0].startswith("file://")


def column(page, table, number):
    return page.locator(
        f"{table} tbody tr:visible :is(td, th):nth-child({number})"
    ).all_inner_texts()


@pytest.mark.parametrize("opened", ["light", "dark"], indirect=True)
def test_the_report_renders(opened, runs):
    page = opened(runs / "before" / "report.html")
    assert page.inner_text("h1") == "Does it look, before?"
    page.get_by_text("The same in per cent of the information").click()
    boxes = [card.bounding_box() for card in page.locator("figure svg").all()]
    assert len(boxes) == 3
    assert all(box["width"] > 300 and box["height"] > 80 for box in boxes)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_a_pointer_rests_on_says_its_values(opened, runs):
    page = opened(runs / "before" / "report.html")
    area = page.locator("#figure-prism g.tooltip").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    under = "([x, y]) => document.elementFromPoint(x, y).closest('.tooltip')?.textContent ?? ''"
    assert "redundant: " in page.evaluate(under, middle)


def test_a_click_on_a_head_sorts_and_another_turns_it(opened, comparison):
    page = opened(comparison)
    table = "#differences table"
    head = page.locator(f"{table} thead th").filter(has_text="one's value")
    place = page.locator(f"{table} thead th").all_inner_texts().index("one's value") + 1
    before = column(page, table, place)
    head.get_by_role("button").click()
    values = [float(text.replace("−", "-")) for text in column(page, table, place)]
    assert values == sorted(values)
    assert sorted(column(page, table, place)) == sorted(before)
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").press("Enter")
    values = [float(text.replace("−", "-")) for text in column(page, table, place)]
    assert values == sorted(values, reverse=True)


def test_a_word_filters_rows(opened, comparison):
    page = opened(comparison)
    field = page.locator("#differences input[type=search]")
    field.fill("synergy")
    shown = column(page, "#differences table", 6)
    assert set(shown) == {"synergy"}
    field.fill("")
    assert len(column(page, "#differences table", 6)) > len(shown)


def test_what_is_folded_is_printed(opened, runs):
    page = opened(runs / "before" / "report.html")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("[...document.querySelectorAll('details')].every((one) => one.open)")
