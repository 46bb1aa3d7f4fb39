/* printf and strtod of floating point, all three types, and the math library. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    static const double values[] = {0.0, -0.0, 1.0, 0.1, 1.0 / 3, 2.0 / 3, 1e10, 1e-10, 123456789.125, DBL_MAX, DBL_MIN, 5e-324, 1e15 + 0.3,
                                    9007199254740993.0, 0.5, 1.5, 2.5, 99999.5, 1e100, 3.14159265358979312};
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
        double v = values[i];
        printf("%g|%.17g|%.0f|%20.6f|%-20.3e|%+.2E|%a\n", v, v, v < 1e20 ? v : 1, v < 1e20 ? v : 1, v, v, v);
        printf("%Lg %.20Lg %La\n", (long double)v, (long double)v / 3, (long double)v);
    }
    printf("%f %f %f %g\n", NAN, INFINITY, -INFINITY, -NAN);
    static const char *const texts[] = {"0", "1e5", "-2.5e-3", "0x1.8p3", "inf", "-infinity", "nan", "1e400", "1e-400", "123456789012345678901234567890",
                                        "0.1e", "abc", "  42.5xyz", "2.2250738585072011e-308", "1.7976931348623159e308", ".5", "+7."};
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *end;
        double d = strtod(texts[i], &end);
        printf("%s -> %.17g rest \"%s\"", texts[i], d, end);
        float f = strtof(texts[i], 0);
        long double l = strtold(texts[i], 0);
        printf(" %.9g %.21Lg\n", f, l);
    }
    for (double x = 0.1; x < 20; x *= 1.7)
        printf("%.15g %.15g %.15g %.15g %.15g %.15g %.15g %.15g\n", sin(x), cos(x), tan(x), exp(x), log(x), sqrt(x), pow(x, 1.5), atan2(x, 2));
    for (double x = -3; x <= 3; x += 0.5) printf("%g %g %g %g %g %ld %g\n", floor(x), ceil(x), trunc(x), round(x), rint(x), lrint(x), fmod(x, 0.7));
    int e;
    double m = frexp(123.456, &e);
    printf("%.17g %d %.17g %.17g %g\n", m, e, ldexp(m, e), hypot(3, 4), cbrt(27));
    printf("%.18Lg %.18Lg %.18Lg\n", sqrtl(2), sinl(1), expl(1));
    printf("%d %d %u %lld %llu\n", (int)-3.99, (int)3.99f, (unsigned)3e9, (long long)-9e18, (unsigned long long)1.8e19);
    return 0;
}
