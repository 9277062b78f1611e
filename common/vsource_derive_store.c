/* SPDX-License-Identifier: MIT */
#include "common/vsource_derive.h"

#include "common/vsource_derive_parts.h"

#include <math.h>

static const double R_SERIES_MAX_Ohm = 15999;

static int derive_store_tables(const struct storage_config *storage, struct vsource_store *p,
                               struct err *err)
{
    for (uint32_t i = 0; i < VSOURCE_STORE_KNOTS; i++) {
        double soc = (double)i / (VSOURCE_STORE_KNOTS - 1);
        double V_oc = storage_curve(storage->p_VOC, soc);
        double R_series = storage_curve(storage->p_Rs, soc);

        if (!(V_oc >= 0 && V_oc <= VSOURCE_V_STORE_MAX)) {
            return err_set(err, ERR_INPUT,
                           "storage: p_VOC gives %g V at a state of charge of %g, beyond 0..%g",
                           V_oc, soc, VSOURCE_V_STORE_MAX);
        }
        if (!(R_series >= 0 && R_series <= R_SERIES_MAX_Ohm)) {
            return err_set(err, ERR_INPUT,
                           "storage: p_Rs gives %g Ohm at a state of charge of %g, beyond "
                           "0..%g",
                           R_series, soc, R_SERIES_MAX_Ohm);
        }
        p->V_oc_uV_n8[i] = (uint32_t)nearbyint(V_oc * 1e6 * 256);
        p->R_series_kOhm_n28[i] = (uint32_t)nearbyint(ldexp(R_series / 1000, 28));
    }
    return 0;
}

/* The highest state of charge whose voltage is not above the limit. */
static uint64_t state_of_charge_below(const struct vsource_store *p, double V_max_mV)
{
    double limit_n8 = V_max_mV * 1000 * 256;

    for (uint32_t k = 1; k <= VSOURCE_STORE_KNOTS; k++) {
        uint32_t i = VSOURCE_STORE_KNOTS - k;
        double low = p->V_oc_uV_n8[i];
        double fraction = 0;

        if (low > limit_n8) {
            continue;
        }
        if (i < VSOURCE_STORE_KNOTS - 1) {
            fraction = (limit_n8 - low) / (p->V_oc_uV_n8[i + 1] - low);
        }
        return (uint64_t)(ldexp(i + fraction, VSOURCE_STORE_INDEX_SHIFT));
    }
    return 0;
}

/* How far a sample's current moves the voltage by its middle, as a resistance; rounded up, and
 * a voltage that falls while charging counts as level, so that nothing is created. */
static void derive_half_steps(double q_As, struct vsource_store *p)
{
    for (uint32_t i = 0; i < VSOURCE_STORE_KNOTS - 1; i++) {
        double step_V = ((double)p->V_oc_uV_n8[i + 1] - p->V_oc_uV_n8[i]) / 256e6;
        double slope_V_per_As = fmax(0, step_V) * (VSOURCE_STORE_KNOTS - 1) / q_As;
        double R_kOhm = slope_V_per_As * VSOURCE_SAMPLE_S / 2 / 1000;

        p->R_half_kOhm_n28[i] = (uint32_t)fmin(UINT32_MAX, ceil(ldexp(R_kOhm, 28)));
    }
    p->R_half_kOhm_n28[VSOURCE_STORE_KNOTS - 1] = p->R_half_kOhm_n28[VSOURCE_STORE_KNOTS - 2];
}

int vsource_derive_store(const struct source_config *source, struct vsource_store *p,
                         struct err *err)
{
    /* Full scale of the state of charge, n58, and the mantissa's 32 bits. */
    static const double Q_MIN_As = 0x1p58 * 1e-14 / 0x1p32;
    static const double R_LEAK_MIN_Ohm = 4;
    const struct storage_config *storage = &source->storage;
    double q_As = storage->q_As;

    if (!(q_As > Q_MIN_As) || !isfinite(q_As)) {
        return err_set(err, ERR_INPUT, "storage: q_As %g is below %.3g (0.1 uF x 6.7 V)", q_As,
                       Q_MIN_As);
    }
    if (!(storage->SoC_init >= 0 && storage->SoC_init <= 1)) {
        return err_set(err, ERR_INPUT, "storage: SoC_init %g is beyond 0..1",
                       storage->SoC_init);
    }
    if (storage->R_leak_Ohm < 0
        || (storage->R_leak_Ohm > 0 && storage->R_leak_Ohm < R_LEAK_MIN_Ohm)) {
        return err_set(err, ERR_INPUT, "storage: R_leak_Ohm %g is below %g",
                       storage->R_leak_Ohm, R_LEAK_MIN_Ohm);
    }
    if (!(source->I_intermediate_leak_nA >= 0 && source->I_intermediate_leak_nA < 0x1p32)) {
        return err_set(err, ERR_INPUT, "I_intermediate_leak_nA: %g is beyond 0..4.29e9",
                       source->I_intermediate_leak_nA);
    }
    if (derive_store_tables(storage, p, err) < 0) {
        return -1;
    }
    p->soc_init_n58 = (uint64_t)(ldexp(storage->SoC_init, 58));
    p->soc_max_n58 = state_of_charge_below(p, source->V_intermediate_max_mV);
    p->I_leak_nA_n32 = (uint64_t)ldexp(source->I_intermediate_leak_nA, 32);
    p->G_leak =
        vsource_scale_of(storage->R_leak_Ohm > 0 ? ldexp(1000 / storage->R_leak_Ohm, 24) : 0);
    p->soc_per_current = vsource_scale_of(ldexp(VSOURCE_UNIT_As / q_As, 58));
    derive_half_steps(q_As, p);
    return 0;
}
