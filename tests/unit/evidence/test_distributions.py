"""The distribution functions against closed forms and the printed tables every statistics book carries."""

import math

import pytest

from grace.evidence.distributions import regularised_incomplete_beta, student_t_critical, student_t_upper_tail


@pytest.mark.parametrize("x", [0.0, 0.01, 0.2, 0.5, 0.77, 0.99, 1.0])
@pytest.mark.parametrize("shape", [0.5, 1.0, 3.0, 40.0])
def test_beta_with_one_unit_shape_has_a_closed_form(shape: float, x: float) -> None:
    assert regularised_incomplete_beta(shape, 1.0, x) == pytest.approx(x**shape, abs=1e-13)
    assert regularised_incomplete_beta(1.0, shape, x) == pytest.approx(1 - (1 - x) ** shape, abs=1e-13)


@pytest.mark.parametrize("t", [-40.0, -3.0, -0.4, 0.0, 0.1, 1.0, 2.5, 9.0, 1000.0])
def test_student_t_with_one_and_two_degrees_has_a_closed_form(t: float) -> None:
    assert student_t_upper_tail(t, 1.0) == pytest.approx(0.5 - math.atan(t) / math.pi, abs=1e-12)
    assert student_t_upper_tail(t, 2.0) == pytest.approx(0.5 - t / (2 * math.sqrt(2 + t * t)), abs=1e-12)


def test_student_t_at_infinity() -> None:
    assert student_t_upper_tail(math.inf, 5.0) == 0.0
    assert student_t_upper_tail(-math.inf, 5.0) == 1.0


@pytest.mark.parametrize(
    ("alpha", "df", "critical"),
    [
        (0.05, 1, 6.314),
        (0.01, 1, 31.821),
        (0.05, 5, 2.015),
        (0.01, 5, 3.365),
        (0.05, 10, 1.812),
        (0.01, 10, 2.764),
        (0.05, 30, 1.697),
        (0.01, 30, 2.457),
        (0.05, 120, 1.658),
        (0.01, 120, 2.358),
    ],
)
def test_critical_values_of_the_printed_table(alpha: float, df: int, critical: float) -> None:
    assert student_t_critical(alpha, df) == pytest.approx(critical, abs=6e-4)


@pytest.mark.parametrize("df", [0.6, 1.0, 2.3, 17.4, 400.0, 1e6])
@pytest.mark.parametrize("alpha", [0.5, 0.2, 0.05, 0.001])
def test_the_critical_value_is_the_inverse_of_the_tail(alpha: float, df: float) -> None:
    assert student_t_upper_tail(student_t_critical(alpha, df), df) == pytest.approx(alpha, rel=1e-9)
